import { randomFillSync, randomUUID } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const POOL_BYTES = 8192;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** `length` characters of Crockford base32 from the system's random source: 5 bits each. */
export function randomText(length: number): string {
  if (length > POOL_BYTES) throw new RangeError(`A random text has at most ${POOL_BYTES} characters.`);
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

const PER_MS = 1024;

/**
 * A process-unique id: 11 characters of time (milliseconds since the epoch) and sequence, 9 random ones. Ids sort in the order in
 * which they were made, also when more than 1024 fall into a millisecond or the clock goes back: then their time runs ahead of it.
 */
export function sortableId(prefix: string, now: number): string {
  const time = Math.floor(now);
  if (time > lastTime) {
    lastTime = time;
    sequence = 0;
  } else if (++sequence === PER_MS) {
    lastTime++;
    sequence = 0;
  }
  return `${prefix}${lastTime.toString(32).padStart(9, '0')}${sequence.toString(32).padStart(2, '0')}${randomText(9)}`;
}

/** A version 4 UUID, for identifiers that a specification wants to be visible ASCII and unguessable. */
export function uuid(): string {
  return randomUUID();
}
