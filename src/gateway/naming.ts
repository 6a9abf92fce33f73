import { createHash } from 'node:crypto';

/** Hosts refuse longer tool names. */
export const MAX_TOOL_NAME = 64;
const SEPARATOR = '__';
const HASH_LENGTH = 8;

/**
 * The name of an upstream's tool on an endpoint that joins several servers: `<server>__<tool>`. Server names hold no underscore, so the
 * first separator is unambiguous. Names beyond 64 characters are cut and end in a hash of the whole, so that they stay stable and distinct.
 */
export function joinedName(server: string, tool: string): string {
  const name = `${server}${SEPARATOR}${tool}`;
  if (name.length <= MAX_TOOL_NAME) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LENGTH);
  return `${name.slice(0, MAX_TOOL_NAME - HASH_LENGTH - 1)}_${hash}`;
}

/** The server that a joined name points at; undefined where it has no separator. */
export function serverOfName(name: string): string | undefined {
  const at = name.indexOf(SEPARATOR);
  return at > 0 ? name.slice(0, at) : undefined;
}
