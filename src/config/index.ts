export { configNotes, secretsOf, type ConfigNote } from './derived.ts';
export { loadConfig, type LoadedConfig, type LoadOptions } from './load.ts';
export { asYaml, maskedConfig } from './mask.ts';
export type { McpServer } from './mcp-server.ts';
export { ConfigError, problemText, type Problem } from './problems.ts';
export { configReference, settingRows, type SettingRow } from './reference.ts';
export type { ConfigOrigin } from './origin.ts';
export type { Config } from './schema.ts';
