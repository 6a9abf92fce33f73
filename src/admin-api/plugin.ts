import type { FastifyPluginAsync } from 'fastify';
import { Mount } from './mount.ts';
import { openApiOf } from './openapi.ts';
import type { AdminApiOptions } from './ports.ts';
import { keyRoutes } from './routes/keys.ts';
import { serverRoutes } from './routes/servers.ts';
import { statusRoutes } from './routes/status.ts';
import { toolRoutes } from './routes/tools.ts';

/**
 * The management API, to be mounted under `ADMIN_PREFIX` behind the admin guard, which sets `request.principal`. It needs the host's
 * error mapper around it.
 */
export function adminApi(options: AdminApiOptions): FastifyPluginAsync {
  return async (app) => {
    const mount = new Mount(app, options);
    statusRoutes(mount, options);
    keyRoutes(mount, options);
    serverRoutes(mount, options);
    toolRoutes(mount, options);
    const description = openApiOf(options.version);
    app.get('/openapi.json', () => description);
  };
}
