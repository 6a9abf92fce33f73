import { adminRoutes } from '../../contract/index.ts';
import type { Mount } from '../mount.ts';
import type { AdminApiOptions } from '../ports.ts';

/** API keys: list, create, rotate, revoke. The store writes each change and its audit row in one transaction. */
export function keyRoutes(mount: Mount, { apiKeys }: AdminApiOptions): void {
  mount.verb(adminRoutes.listKeys, async () => ({ keys: await apiKeys.list() }));
  mount.verb(adminRoutes.createKey, ({ body, actor }) => apiKeys.create(body, actor));
  mount.verb(adminRoutes.rotateKey, ({ params, body, actor }) => apiKeys.rotate(params.id, body, actor));
  mount.verb(adminRoutes.revokeKey, async ({ params, actor }) => ({ key: await apiKeys.revoke(params.id, actor) }));
}
