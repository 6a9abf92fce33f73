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
    for (let i = 0; i < POOL_BYTES; i++) pool[i] = ALPHABET.charCodeAt((pool[i] as number) & 31);
    used = 0;
  }
  const text = pool.toString('latin1', used, used + length);
  used += length;
  return text;
}

let lastTime = 0;
let timeText = '';
let sequence = 0;

const PER_MS = 1024;

function setTime(time: number): void {
  lastTime = time;
  timeText = time.toString(32).padStart(9, '0');
  sequence = 0;
}

/**
 * A process-unique id: 11 characters of time (milliseconds since the epoch) and sequence, 9 random ones. Ids sort in the order in
 * which they were made, also when more than 1024 fall into a millisecond or the clock goes back: then their time runs ahead of it.
 */
export function sortableId(prefix: string, now: number): string {
  const time = Math.floor(now);
  if (time > lastTime) {
    setTime(time);
  } else if (++sequence === PER_MS) {
    setTime(lastTime + 1);
  }
  return `${prefix}${timeText}${sequence.toString(32).padStart(2, '0')}${randomText(9)}`;
}

/** A version 4 UUID, for identifiers that a specification wants to be visible ASCII and unguessable. */
export function uuid(): string {
  return randomUUID();
}
