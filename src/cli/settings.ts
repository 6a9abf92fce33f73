import { loadConfig, type LoadedConfig } from '../config/index.ts';
import type { CliContext } from './context.ts';
import { note } from './output.ts';

/** The configuration as this process sees it. Throws ConfigError. */
export const readSettings = (context: CliContext): LoadedConfig => loadConfig({ env: context.env, cwd: context.cwd });

/** The same, with its warnings on stderr: for the verbs that start something. */
export function readSettingsAloud(context: CliContext): LoadedConfig {
  const loaded = readSettings(context);
  for (const warning of loaded.warnings) note(context, `warning: ${warning}`);
  return loaded;
}
