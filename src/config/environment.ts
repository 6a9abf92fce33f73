import type { Path } from './document.ts';
import { nearest } from './suggest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Which variable sets what. Variables win over the file. */
export const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  PORT: ['server', 'port'],
  HOST: ['server', 'host'],
  STOCKPULSE_PUBLIC_URL: ['server', 'publicUrl'],
  STOCKPULSE_TRUSTED_PROXIES: ['server', 'trustedProxies'],
  TLS_CERT: ['server', 'tls', 'cert'],
  TLS_KEY: ['server', 'tls', 'key'],
  STOCKPULSE_DATA_DIR: ['dataDir'],
  DATABASE_URL: ['database', 'url'],
  REDIS_URL: ['redis', 'url'],
  STOCKPULSE_BOOTSTRAP_API_KEY: ['security', 'bootstrapApiKey'],
  STOCKPULSE_MASTER_KEY: ['security', 'masterKey'],
};

/** The variable that names the configuration file. */
export const CONFIG_VARIABLE = 'STOCKPULSE_CONFIG';

export interface VariableSetting {
  readonly name: string;
  readonly path: Path;
  readonly text: string;
}

/** Variables that hold a list, separated by commas. */
const LISTS: readonly string[] = ['STOCKPULSE_TRUSTED_PROXIES'];

/** The parts of a variable that holds a list; undefined for the others. */
export function listParts(setting: VariableSetting): string[] | undefined {
  if (!LISTS.includes(setting.name)) return undefined;
  const parts = setting.text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

/** The settings that the environment makes. An empty variable counts as unset, as in compose files. */
export function variableSettings(env: Environment): VariableSetting[] {
  return Object.entries(VARIABLES).flatMap(([name, path]) => {
    const text = env[name];
    return text === undefined || text === '' ? [] : [{ name, path, text }];
  });
}

/** Warnings for `STOCKPULSE_*` variables that look like a misspelt setting. Others belong to somebody else. */
export function variableWarnings(env: Environment): string[] {
  const known = [...Object.keys(VARIABLES), CONFIG_VARIABLE];
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith('STOCKPULSE_') || known.includes(name)) return [];
    const guess = nearest(name, known);
    return guess === undefined ? [] : [`The variable ${name} is not known. Did you mean ${guess}?`];
  });
}
