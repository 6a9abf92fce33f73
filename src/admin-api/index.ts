export { runDoctor, type DoctorOptions } from './doctor.ts';
export { openApiOf } from './openapi.ts';
export { adminApi } from './plugin.ts';
export type { AdminApiOptions } from './ports.ts';
export { portsOf, type PortSources } from './ports-of.ts';
