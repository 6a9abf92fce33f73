import { randomFillSync, randomUUID } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const POOL_BYTES = 8192;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** `length` characters of Crockford base32 from the system's random source: 5 bits each. */
export function randomText(length: number): string {
  if (used + length > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  let text = '';
  for (let i = 0; i < length; i++) text += ALPHABET[(pool[used++] as number) & 31];
  return text;
}

let lastTime = 0;
let sequence = 0;

/** A process-unique id that sorts by time: 10 characters of time and sequence, 10 random ones. */
export function sortableId(prefix: string, now: number): string {
  sequence = now === lastTime ? sequence + 1 : 0;
  lastTime = now;
  return `${prefix}${now.toString(32).padStart(9, '0')}${(sequence & 1023).toString(32).padStart(2, '0')}${randomText(9)}`;
}

/** A version 4 UUID, for identifiers that a specification wants to be visible ASCII and unguessable. */
export function uuid(): string {
  return randomUUID();
}
