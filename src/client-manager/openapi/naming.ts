import { createHash } from 'node:crypto';

const MAX_NAME = 64;
const HASH = 8;

const digest = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** The text with nothing but letters, digits, `_`, `.` and `-`; empty if nothing is left of it. */
export const plainName = (text: string): string => text.replaceAll(/[^A-Za-z0-9_.-]+/g, '_').replaceAll(/^_+|_+$/g, '');

/** The name with a tail that only this operation has. */
const marked = (name: string, key: string, length = HASH): string => `${name.slice(0, MAX_NAME - length - 1)}-${digest(key, length)}`;

function baseName({ operationId, key }: Named): string {
  const name = plainName(operationId ?? '') || plainName(key.toLowerCase()) || 'operation';
  return name.length <= MAX_NAME ? name : marked(name, key);
}

export interface Named {
  readonly operationId: string | undefined;
  /** `METHOD /path`: unique in a document. */
  readonly key: string;
}

/**
 * Tool names by key. An operation's name comes from itself alone, so that it stays when others come and go; only those that would have
 * the same one all get a tail.
 */
export function toolNames(operations: readonly Named[]): ReadonlyMap<string, string> {
  const wanted = new Map<string, number>();
  for (const operation of operations) wanted.set(baseName(operation), (wanted.get(baseName(operation)) ?? 0) + 1);
  const names = new Map<string, string>();
  const taken = new Set([...wanted].filter(([, times]) => times === 1).map(([name]) => name));
  for (const operation of operations) {
    const base = baseName(operation);
    names.set(operation.key, wanted.get(base) === 1 ? base : freeName(base, operation.key, taken));
  }
  return names;
}

function freeName(base: string, key: string, taken: Set<string>): string {
  for (let length = HASH; ; length += 4) {
    const name = marked(base, key, length);
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

/** Names of a tool's arguments: hosts take `[A-Za-z0-9_.-]{1,64}`, and each stands once. */
export class ArgumentNames {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  copy(): ArgumentNames {
    return new ArgumentNames(this.#taken);
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** The name itself where it may be one, else a plain form of it; with `place` in front where it is taken. */
  take(name: string, place: string): string {
    const plain = (plainName(name) || place).slice(0, MAX_NAME);
    let free = this.#taken.has(plain) ? `${place}_${plain}`.slice(0, MAX_NAME) : plain;
    for (let i = 2; this.#taken.has(free); i++) free = `${plain.slice(0, MAX_NAME - 8)}_${i}`;
    this.#taken.add(free);
    return free;
  }
}

export const isToolName = (name: string): boolean => /^[A-Za-z0-9_.-]{1,64}$/.test(name);
