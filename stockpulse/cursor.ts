import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ApiError, ERROR_CODES } from './errors.ts';

const SEAL_BYTES = 12;

/** Where a walk stands: the instant it looks at the market from, and the last row that was handed out. */
export interface CursorPosition {
  /** Milliseconds since the epoch; every page shows the market as of the first page. */
  readonly asOf: number;
  readonly position: readonly number[];
}

/**
 * Makes and opens cursors: opaque, sealed, and bound to one query. The seal stops tampering and mix-ups; it guards no secret, because a
 * cursor can reach nothing that a query could not ask for.
 */
export class CursorSealer {
  readonly #key: Buffer;

  constructor(seed: number) {
    this.#key = createHash('sha256').update(`stockpulse/cursor/${seed}`).digest();
  }

  /** `query` is everything that decides which rows there are, in any JSON form that is the same for each page. */
  seal(query: unknown, { asOf, position }: CursorPosition): string {
    const payload = Buffer.from(JSON.stringify([asOf, ...position]));
    return Buffer.concat([this.#mac(query, payload), payload]).toString('base64url');
  }

  /** Throws a 422 ApiError for a cursor that was changed, belongs to another query or looks beyond `now`. */
  open(query: unknown, cursor: string, now: number, size: number): CursorPosition {
    const bytes = Buffer.from(cursor, 'base64url');
    const payload = bytes.subarray(SEAL_BYTES);
    const seal = bytes.subarray(0, SEAL_BYTES);
    if (seal.length < SEAL_BYTES || bytes.toString('base64url') !== cursor || !timingSafeEqual(seal, this.#mac(query, payload)))
      throw badCursor();
    const numbers = JSON.parse(payload.toString()) as number[];
    const [asOf, ...position] = numbers;
    if (asOf === undefined || asOf > now || position.length !== size) throw badCursor();
    return { asOf, position };
  }

  #mac(query: unknown, payload: Buffer): Buffer {
    const mac = createHmac('sha256', this.#key).update(JSON.stringify(query)).update('\n').update(payload);
    return mac.digest().subarray(0, SEAL_BYTES);
  }
}

function badCursor(): ApiError {
  return new ApiError({
    status: 422,
    code: ERROR_CODES.badCursor,
    message: 'This cursor does not belong to this query, or it was changed.',
    field: 'cursor',
    hint: 'Repeat all other arguments of the query that returned it unchanged, or leave cursor out to start anew.',
  });
}
