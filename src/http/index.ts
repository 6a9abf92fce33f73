export { createHttpHost, type HttpHost, type Listening } from './host.ts';
export {
  defaultHttpLimits,
  type Guard,
  type HttpEvent,
  type HttpHostOptions,
  type HttpLimits,
  type LastCall,
  type Readiness,
} from './options.ts';
export { findPortHolder, type PortHolder } from './port-holder.ts';
export type { RefusalFacts } from './refusal.ts';
export type { Upgrade, UpgradeHandler } from './upgrades.ts';
export { readinessOf } from './readiness.ts';
