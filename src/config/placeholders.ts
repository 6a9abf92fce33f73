import type { Path } from './document.ts';
import type { Environment } from './environment.ts';
import type { Unset } from './substitute.ts';

/** `${TOKEN}`, `${TOKEN:-default}`, `${input:token}` or `${workspaceFolder}`; `${env:NAME}` is ours. */
const PLACEHOLDER = /\$\{(?!env:)([A-Za-z_][^}:]*)(:[^}]*)?\}/;

/** Settings of an entry that hosts fill in. */
const FILLED = ['command', 'args', 'env', 'cwd', 'url', 'httpUrl', 'serverUrl', 'headers'] as const;

/** `TOKEN`, rather than the host's `input:token` or `workspaceFolder`. */
function isVariable(name: string, rest: string | undefined): boolean {
  const isPlain = rest === undefined || rest.startsWith(':-');
  return isPlain && /^\w+$/.test(name) && !/[a-z][A-Z]/.test(name);
}

/** Says what to write instead. What stands behind the name is not repeated: a default may be secret. */
function messageFor(name: string, rest: string | undefined, env: Environment): string {
  const known = Object.hasOwn(env, name);
  if (known || isVariable(name, rest))
    return `holds \${${name}}, which is not replaced here: write \${env:${name}}${known ? '' : ' and set the variable'}.`;
  const shown = rest === undefined ? name : `${name}:...`;
  return `holds \${${shown}}, which only a host replaces: write the value, or \${env:NAME} for that of a variable.`;
}

/**
 * Placeholders of hosts in entries of `mcpServers` that are in use, where they would be sent or started as they stand: a literal
 * `Bearer ${TOKEN}` must not travel. Looks at the text as written, so a variable's value may hold anything.
 */
export function placeholders(root: unknown, env: Environment): Unset[] {
  const found: Unset[] = [];
  const walk = (value: unknown, path: Path): void => {
    if (typeof value === 'string') {
      const [, name, rest] = PLACEHOLDER.exec(value) ?? [];
      if (name !== undefined) found.push({ path, message: messageFor(name, rest, env) });
    } else if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, [...path, index]);
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
  };
  const { mcpServers } = root as { mcpServers?: Readonly<Record<string, Readonly<Record<string, unknown>> | null>> | null };
  for (const [name, entry] of Object.entries(mcpServers ?? {})) {
    if (typeof entry !== 'object' || entry?.disabled === true || entry?.enabled === false) continue;
    for (const key of FILLED) walk(entry?.[key], ['mcpServers', name, key]);
  }
  return found;
}
