import { adminRoutes } from '../../contract/index.ts';
import type { ServerEntry } from '../../registry/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Mount } from '../mount.ts';
import type { AdminApiOptions } from '../ports.ts';
import { serverDetail, serverView } from '../server-view.ts';

/** Servers: list, show, restart, test. */
export function serverRoutes(mount: Mount, options: AdminApiOptions): void {
  const { registry } = options;
  const known = (name: string): ServerEntry => {
    const entry = registry.get(name);
    if (entry !== undefined) return entry;
    const names = registry.list().map((server) => server.name);
    throw new AppError('server_not_found', `There is no server ${name}; there are: ${names.join(', ') || 'none'}.`);
  };
  const upstream = (name: string): void => {
    if (known(name).kind === 'upstream') return;
    throw new AppError('server_not_restartable', `${name} is part of this process: it has no connection to restart or test.`);
  };

  mount.verb(adminRoutes.listServers, async () => ({ servers: registry.list().map(serverView) }));
  mount.verb(adminRoutes.getServer, async ({ params }) => serverDetail(known(params.name), options.waitingTools(params.name)));
  mount.audited(
    adminRoutes.restartServer,
    ({ params }) => ({ action: 'server.restart', subject: params.name }),
    async ({ params }) => {
      upstream(params.name);
      await options.restartServer(params.name);
      return serverView(known(params.name));
    },
  );
  mount.audited(
    adminRoutes.acceptTools,
    ({ params, body }) => ({ action: 'server.accept', subject: params.name, detail: { tools: body.tools ?? 'all' } }),
    async ({ params, body, actor }) => {
      upstream(params.name);
      return { accepted: [...(await options.acceptTools(params.name, body.tools ?? 'all', actor.principal.id))] };
    },
  );
  mount.audited(
    adminRoutes.testServer,
    ({ params }) => ({ action: 'server.test', subject: params.name }),
    ({ params, signal }) => {
      upstream(params.name);
      return options.testServer(params.name, signal);
    },
  );
}
