import { createHash } from 'node:crypto';
import type { ServerEntry } from '../registry/index.ts';

/** Hosts refuse longer tool names. */
export const MAX_TOOL_NAME = 64;
const SEPARATOR = '__';
const HASH_LENGTH = 12;
/** What a cut name ends in. Whole names of full length that end like it are cut as well, so that no name can pass for another's short form. */
const SHORT_FORM = /_[0-9a-f]{12}$/;
/** Every joined name starts like this: server names hold no underscore and are shorter than what a cut leaves. */
const JOINED = /^[a-z0-9-]+__/;

/** A lone surrogate has no bytes in UTF-8, so names are hashed as JSON, which escapes it. */
const hashOf = (name: string): string => createHash('sha256').update(JSON.stringify(name)).digest('hex').slice(0, HASH_LENGTH);

/** The first characters of a name; one that needs two code units is not cut in half. */
function headOf(name: string, length: number): string {
  const last = name.charCodeAt(length - 1);
  return name.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

/**
 * The name of an upstream's tool or prompt on an endpoint that joins several servers: `<server>__<name>`. Server names hold no underscore,
 * so the first separator is unambiguous. Names beyond 64 characters are cut and end in a hash of the whole, so that they stay stable and distinct.
 */
export function joinedName(server: string, own: string): string {
  const name = `${server}${SEPARATOR}${own}`;
  if (name.length < MAX_TOOL_NAME || (name.length === MAX_TOOL_NAME && !SHORT_FORM.test(name))) return name;
  const head = headOf(name, MAX_TOOL_NAME - HASH_LENGTH - 1);
  // Filled up where half a character was left out, so that every short form has the full length.
  return `${head.padEnd(MAX_TOOL_NAME - HASH_LENGTH - 1, '_')}_${hashOf(name)}`;
}

/** The name on `/mcp` of what a server calls `own`. StockPulse's own keep their names, unless one looks like an upstream's. */
export function exposedName({ name, kind }: Pick<ServerEntry, 'name' | 'kind'>, own: string): string {
  return kind === 'stockpulse' && !JOINED.test(own) ? own : joinedName(name, own);
}

/** The server that a joined name points at; undefined where it has no separator. */
export function serverOfName(name: string): string | undefined {
  const at = name.indexOf(SEPARATOR);
  return at > 0 ? name.slice(0, at) : undefined;
}
