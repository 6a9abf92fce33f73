import type { HttpConfig, StdioConfig, UpstreamConfig } from './types.ts';

/** A server as the configuration has it: without its name, and with the deadline in seconds. */
export type ConfiguredServer = Configured<StdioConfig> | Configured<HttpConfig>;
type Configured<C extends UpstreamConfig> = Omit<C, 'name' | 'deadlineMs'> & { readonly deadlineSeconds: number };

/** The upstreams of a configuration, in its order. */
export function upstreamConfigs(servers: Readonly<Record<string, ConfiguredServer>>): UpstreamConfig[] {
  return Object.entries(servers).map(([name, { deadlineSeconds, ...rest }]) => ({ ...rest, name, deadlineMs: deadlineSeconds * 1000 }));
}
