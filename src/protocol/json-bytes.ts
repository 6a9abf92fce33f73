/** Looks on while JSON flows past. `at` is an index into the piece that is being fed. */
export interface JsonWatcher {
  /** Before the first byte of a value inside `depth` containers. */
  valueStart(depth: number, at: number, first: number): void;
  /** Behind its last byte. `token` is the text of a scalar, undefined for containers and for longer ones than are kept. */
  valueEnd(depth: number, at: number, token: string | undefined): void;
  /** A key of the object at `depth`; undefined for longer ones than are kept. */
  key(depth: number, key: string | undefined): void;
  /** Before the closing brace of the object at `depth`. */
  objectEnd(depth: number, at: number, empty: boolean): void;
}

const [VALUE, FIRST_ITEM, FIRST_KEY, KEY, COLON, AFTER, STRING, ESCAPE, HEX, NUMBER, LITERAL, DONE, BROKEN] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
];
/** Where in a number we are: behind the sign, a leading zero, digits, the dot, a fraction, the `e`, its sign, the exponent. */
const [SIGN, ZERO, DIGITS, DOT, FRACTION, E, E_SIGN, EXPONENT] = [0, 1, 2, 3, 4, 5, 6, 7];
const QUOTE = 34;
const BACKSLASH = 92;
const MINUS = 45;
/** Keys and scalars up to this many bytes are given to the watcher. */
const MAX_TOKEN = 512;
/** Up to here looking at each byte costs less than a call of `indexOf`. */
const NEAR = 48;

const isSpace = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9;
const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isHex = (c: number): boolean => isDigit(c) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102);
const isEscape = (c: number): boolean =>
  c === QUOTE || c === BACKSLASH || c === 47 || c === 98 || c === 102 || c === 110 || c === 114 || c === 116;

/** The state of a number behind `c`; -1 if `c` is no part of it. */
function inNumber(state: number, c: number): number {
  if (isDigit(c)) {
    if (state === SIGN) return c === 48 ? ZERO : DIGITS;
    if (state === ZERO) return -1;
    if (state === DOT) return FRACTION;
    return state === E || state === E_SIGN ? EXPONENT : state;
  }
  if (c === 46) return state === ZERO || state === DIGITS ? DOT : -1;
  if (c === 101 || c === 69) return state === ZERO || state === DIGITS || state === FRACTION ? E : -1;
  return (c === 43 || c === MINUS) && state === E ? E_SIGN : -1;
}

/** The string of a string token; undefined if it holds raw control characters. */
export function stringOf(token: string): string | undefined {
  try {
    const value: unknown = JSON.parse(token);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

const isNumberEnd = (state: number): boolean => state === ZERO || state === DIGITS || state === FRACTION || state === EXPONENT;

/**
 * Reads one JSON text in pieces of UTF-8 with a memory of a few hundred bytes, and tells a watcher what lies within the first `watched`
 * levels. It checks the grammar (RFC 8259) but for control characters in strings and the encoding.
 */
export class JsonBytes {
  /** Levels that the watcher hears of: 1 for the members of the outermost object. */
  watched = 1;
  readonly #watcher: JsonWatcher;
  readonly #maxDepth: number;
  /** Open containers, and for each by its level whether it is an object. */
  #depth = 0;
  readonly #objects: Uint8Array;
  #state = VALUE;
  #isKey = false;
  #number = SIGN;
  #literal = '';
  #left = 0;
  #quote = -1;
  #tokenFrom = -1;
  #token: Buffer[] = [];
  #tokenSize = 0;

  constructor(watcher: JsonWatcher, maxDepth: number) {
    this.#watcher = watcher;
    this.#maxDepth = maxDepth;
    this.#objects = new Uint8Array(maxDepth + 1);
  }

  /** True once the text is no JSON, or is nested too deeply. */
  get broken(): boolean {
    return this.#state === BROKEN;
  }

  /** True behind the end of the outermost value. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /** Nothing more is read: for a watcher that has seen enough. */
  stop(): void {
    this.#state = BROKEN;
  }

  feed(piece: Buffer): void {
    if (this.#tokenFrom >= 0) this.#tokenFrom = 0;
    this.#quote = -1;
    let i = 0;
    while (i < piece.length && this.#state !== BROKEN) {
      if (this.#state === STRING) i = this.#inString(piece, i);
      else if (this.#state === NUMBER) i = this.#inNumber(piece, i);
      else i = this.#step(piece, i, piece[i] as number);
    }
    if (this.#tokenFrom >= 0) this.#keepToken(piece, piece.length);
  }

  #step(piece: Buffer, i: number, c: number): number {
    const state = this.#state;
    if (state === ESCAPE) return this.#escape(c, i);
    if (state === HEX) return this.#hex(c, i);
    if (state === LITERAL) return this.#inLiteral(piece, i, c);
    if (isSpace(c)) return i + 1;
    if (state === VALUE) return this.#begin(i, c);
    if (state === FIRST_ITEM) return c === 93 ? this.#close(i, false, true) : this.#begin(i, c);
    if (state === AFTER) return this.#after(i, c);
    if (state === COLON) return this.#expect(c === 58, VALUE, i);
    if (state === FIRST_KEY && c === 125) return this.#close(i, true, true);
    if (state === DONE || c !== QUOTE) return this.#fail(i);
    this.#isKey = true;
    this.#openToken(i);
    return this.#expect(true, STRING, i);
  }

  #fail(i: number): number {
    this.#state = BROKEN;
    return i + 1;
  }

  #expect(fits: boolean, next: number, i: number): number {
    if (this.#state !== BROKEN) this.#state = fits ? next : BROKEN;
    return i + 1;
  }

  get #heard(): boolean {
    return this.#depth <= this.watched;
  }

  #begin(i: number, c: number): number {
    if (this.#heard) this.#watcher.valueStart(this.#depth, i, c);
    if (this.#state === BROKEN) return i + 1;
    if (c === 123 || c === 91) {
      if (this.#depth >= this.#maxDepth) return this.#fail(i);
      this.#objects[++this.#depth] = c === 123 ? 1 : 0;
      return this.#expect(true, c === 123 ? FIRST_KEY : FIRST_ITEM, i);
    }
    this.#isKey = false;
    this.#openToken(i);
    if (c === QUOTE) return this.#expect(true, STRING, i);
    if (c === MINUS || isDigit(c)) {
      this.#number = c === MINUS ? SIGN : inNumber(SIGN, c);
      return this.#expect(true, NUMBER, i);
    }
    this.#literal = c === 116 ? 'true' : c === 102 ? 'false' : 'null';
    this.#left = this.#literal.length - 1;
    return this.#expect(c === this.#literal.charCodeAt(0), LITERAL, i);
  }

  #after(i: number, c: number): number {
    const inObject = this.#depth === 0 ? undefined : this.#objects[this.#depth] === 1;
    if (c === 44 && inObject !== undefined) return this.#expect(true, inObject ? KEY : VALUE, i);
    if (c === 125 && inObject === true) return this.#close(i, true, false);
    return c === 93 && inObject === false ? this.#close(i, false, false) : this.#fail(i);
  }

  #close(i: number, object: boolean, empty: boolean): number {
    if (object && this.#heard) this.#watcher.objectEnd(this.#depth, i, empty);
    this.#depth--;
    this.#ended(i + 1, undefined);
    return i + 1;
  }

  #ended(at: number, token: string | undefined): void {
    if (this.#heard) this.#watcher.valueEnd(this.#depth, at, token);
    this.#expect(true, this.#depth === 0 ? DONE : AFTER, at);
  }

  /** Index of the first quote or backslash at or behind `from`. */
  #mark(piece: Buffer, from: number): number {
    const near = Math.min(from + NEAR, piece.length);
    for (let i = from; i < near; i++) if (piece[i] === QUOTE || piece[i] === BACKSLASH) return i;
    // A quote that was found far ahead is kept, or many escapes before it would search for it again and again.
    if (this.#quote < near) {
      const quote = piece.indexOf(QUOTE, near);
      this.#quote = quote < 0 ? piece.length : quote;
    }
    const slash = piece.subarray(near, this.#quote).indexOf(BACKSLASH);
    return slash < 0 ? this.#quote : near + slash;
  }

  #inString(piece: Buffer, from: number): number {
    const i = this.#mark(piece, from);
    if (i === piece.length) return i;
    if (piece[i] === BACKSLASH) return this.#expect(true, ESCAPE, i);
    const token = this.#closeToken(piece, i + 1);
    if (!this.#isKey) this.#ended(i + 1, token);
    else this.#keyEnded(token, i);
    return i + 1;
  }

  #keyEnded(token: string | undefined, i: number): void {
    const key = token === undefined ? undefined : stringOf(token);
    if (token !== undefined && key === undefined) this.#fail(i);
    if (this.#heard) this.#watcher.key(this.#depth, key);
    this.#expect(true, COLON, i);
  }

  #escape(c: number, i: number): number {
    this.#left = 4;
    return c === 117 ? this.#expect(true, HEX, i) : this.#expect(isEscape(c), STRING, i);
  }

  #hex(c: number, i: number): number {
    this.#left--;
    return this.#expect(isHex(c), this.#left === 0 ? STRING : HEX, i);
  }

  #inLiteral(piece: Buffer, i: number, c: number): number {
    if (c !== this.#literal.charCodeAt(this.#literal.length - this.#left)) return this.#fail(i);
    if (--this.#left === 0) this.#ended(i + 1, this.#closeToken(piece, i + 1));
    return i + 1;
  }

  #inNumber(piece: Buffer, from: number): number {
    for (let i = from; i < piece.length; i++) {
      const next = inNumber(this.#number, piece[i] as number);
      if (next < 0) {
        if (!isNumberEnd(this.#number)) return this.#fail(i);
        this.#ended(i, this.#closeToken(piece, i));
        return i;
      }
      this.#number = next;
    }
    return piece.length;
  }

  #openToken(at: number): void {
    this.#tokenFrom = this.#heard ? at : -1;
  }

  #keepToken(piece: Buffer, end: number): void {
    const part = piece.subarray(this.#tokenFrom, end);
    this.#tokenSize += part.length;
    // A copy, because the piece may be large and the token small.
    if (this.#tokenSize <= MAX_TOKEN) this.#token.push(Buffer.from(part));
  }

  #closeToken(piece: Buffer, end: number): string | undefined {
    if (this.#tokenFrom < 0) return undefined;
    this.#keepToken(piece, end);
    const text = this.#tokenSize <= MAX_TOKEN ? Buffer.concat(this.#token).toString('utf8') : undefined;
    this.#tokenFrom = -1;
    this.#token = [];
    this.#tokenSize = 0;
    return text;
  }
}
