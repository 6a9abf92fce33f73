import { adminRoutes } from '../../contract/index.ts';
import type { Mount } from '../mount.ts';
import type { AdminApiOptions } from '../ports.ts';

/** What the process says of itself, and what is wrong with it. */
export function statusRoutes(mount: Mount, options: AdminApiOptions): void {
  mount.verb(adminRoutes.getStatus, () => options.status());
  mount.verb(adminRoutes.runDoctor, ({ signal }) => options.doctor(signal));
}
