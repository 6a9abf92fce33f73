import type { HttpConfig, OpenApiConfig, ServerConfig, StdioConfig } from './types.ts';

/** A server as the configuration has it: without its name, and with the deadline in seconds. */
export type ConfiguredServer = Configured<StdioConfig> | Configured<HttpConfig> | Configured<OpenApiConfig>;
type Configured<C extends ServerConfig> = Omit<C, 'name' | 'deadlineMs'> & {
  readonly deadlineSeconds: number;
};

/** The upstreams of a configuration, in its order. */
export function upstreamConfigs(servers: Readonly<Record<string, ConfiguredServer>>): ServerConfig[] {
  return Object.entries(servers).map(([name, { deadlineSeconds, ...rest }]) => ({
    ...rest,
    name,
    deadlineMs: deadlineSeconds * 1000,
  }));
}
