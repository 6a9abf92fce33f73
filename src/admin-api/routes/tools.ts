import { adminRoutes } from '../../contract/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Mount } from '../mount.ts';
import type { AdminApiOptions } from '../ports.ts';

/** Tools: list those of an endpoint, call one. Arguments are not audited: they may hold private data, and the call record has the rest. */
export function toolRoutes(mount: Mount, options: AdminApiOptions): void {
  mount.verb(adminRoutes.listTools, async ({ query }) => {
    const list = await options.listTools(query.endpoint);
    if (list !== undefined) return list;
    throw new AppError(
      'endpoint_not_found',
      `There is no endpoint ${query.endpoint}: use /mcp, or /mcp/<server> with a name of: stockpulse servers list.`,
    );
  });
  mount.audited(
    adminRoutes.callTool,
    ({ body }) => ({ action: 'tool.call', subject: body.name, detail: { endpoint: body.endpoint } }),
    ({ body, actor, signal }) => options.callTool(actor.principal, body.endpoint, body.name, body.arguments, signal),
  );
}
