import { MAX_DEPTH } from './envelope.ts';
import { JsonBytes, stringOf, type JsonWatcher } from './json-bytes.ts';
import { META, type Implementation } from './meta.ts';
import type { CacheHint } from './results.ts';

export interface SplicerOptions {
  /** JSON text of the id that the response gets. */
  readonly idText: string;
  /** What stands in `_meta` where the server says nothing of itself. */
  readonly serverInfo: Implementation;
  /** Bytes that are held back while it is in doubt whether the result is a complete one; more of them are a problem. */
  readonly maxHead: number;
  /** For methods whose results carry cache hints: what is added where the server gives none. */
  readonly cache?: CacheHint | undefined;
  /** JSON text of the id that the response must have; without it any will do. */
  readonly expectedId?: string | undefined;
}

const OPEN_BRACE = 123;
const UNIQUE: ReadonlySet<string | undefined> = new Set(['jsonrpc', 'id', 'result', 'resultType', '_meta', 'ttlMs', 'cacheScope']);
/** Members of a result that mostly is a complete one. */
const BODY: ReadonlySet<string> = new Set(['content', 'contents', 'messages', 'structuredContent']);
/** Members of results that are not complete, as long as these do not say that they are: what they hold is checked and sealed first (PROTOCOL C4, C5). */
const OPEN: ReadonlySet<string> = new Set(['inputRequests', 'requestState', 'task', 'taskId']);

/**
 * Rewrites one JSON-RPC response of the modern era while its bytes flow (PROTOCOL A13): the id is replaced, `resultType`, the server's identity and
 * cache hints are added where they are missing, everything else stays the bytes it was. Any pieces will do; the memory is `maxHead`.
 * It flows once the result says that it is complete, or on trust from its body on; a member of an incomplete one stops it until it says so.
 */
export class ResponseSplicer {
  readonly #options: SplicerOptions;
  readonly #json: JsonBytes;
  /** Members seen: of the response at 1, of the result at 2, of its `_meta` at 3. */
  readonly #seen: readonly Set<string>[] = [new Set(), new Set(), new Set(), new Set()];
  readonly #keys: (string | undefined)[] = [];
  #piece: Buffer = Buffer.alloc(0);
  #copiedTo = 0;
  #skipping = false;
  /** The result says that it is complete. */
  #told = false;
  #doubtful = false;
  #flows = false;
  #isError = false;
  #held = 0;
  #out: Buffer[] = [];
  #problem: string | undefined;

  constructor(options: SplicerOptions) {
    this.#options = options;
    const watcher: JsonWatcher = {
      valueStart: (depth, at, first) => this.#valueStart(depth, at, first),
      valueEnd: (depth, at, token) => this.#valueEnd(depth, at, token),
      key: (depth, key) => this.#key(depth, key),
      objectEnd: (depth, at, empty) => this.#objectEnd(depth, at, empty),
    };
    this.#json = new JsonBytes(watcher, MAX_DEPTH);
  }

  /** Why this is no response with a complete result: an error, `input_required`, a task, broken JSON. Nothing flows any more then. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** True while nothing is held back. */
  get flows(): boolean {
    return this.#flows && this.#problem === undefined;
  }

  /** True once the result says that it is complete: nothing that follows holds it up. */
  get isSure(): boolean {
    return this.#told && this.#problem === undefined;
  }

  /** Whether the result says so far that it is a tool's error. */
  get isError(): boolean {
    return this.#isError;
  }

  /** What can go to the client. The buffers share memory with `bytes`. */
  feed(bytes: Buffer): Buffer[] {
    if (this.#problem !== undefined) return [];
    this.#piece = bytes;
    this.#copiedTo = 0;
    this.#json.feed(bytes);
    if (this.#json.broken) this.#fail('it is no valid JSON');
    this.#copy(bytes.length);
    if (this.#flows) return this.#taken();
    if (this.#held > this.#options.maxHead) this.#fail('it does not say soon enough that its result is complete');
    return [];
  }

  /** The rest, once the server has sent everything; `problem` is final then. */
  end(): Buffer[] {
    const [, response] = this.#seen;
    if (!this.#json.done) this.#fail('it ends too early');
    for (const key of ['jsonrpc', 'id', 'result']) if (response?.has(key) !== true) this.#fail(`it has no member "${key}"`);
    return this.#taken();
  }

  #taken(): Buffer[] {
    const out = this.#problem === undefined ? this.#out : [];
    this.#out = [];
    this.#held = 0;
    return out;
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
    this.#json.stop();
  }

  /** Passes on what stands between the last cut and `at`. */
  #copy(at: number): void {
    if (!this.#skipping && at > this.#copiedTo) this.#push(this.#piece.subarray(this.#copiedTo, at));
    this.#copiedTo = at;
  }

  #push(bytes: Buffer): void {
    this.#out.push(bytes);
    this.#held += bytes.length;
  }

  /** Puts `text` in the place of the value that starts at `at`. */
  #replace(at: number, text: string): void {
    this.#copy(at);
    this.#push(Buffer.from(text));
    this.#skipping = true;
  }

  #key(depth: number, key: string | undefined): void {
    this.#keys[depth] = key;
    if (depth === 1 && (key === 'error' || key === 'method')) return this.#fail(`it has a member "${key}"`);
    if (key === undefined) return;
    if (depth < 3 && UNIQUE.has(key) && this.#seen[depth]?.has(key)) return this.#fail(`its member "${key}" stands twice`);
    if (UNIQUE.has(key) || key === META.serverInfo) this.#seen[depth]?.add(key);
    if (depth === 2 && !this.#told) this.#judge(key);
  }

  #judge(key: string): void {
    if (OPEN.has(key)) this.#doubtful = true;
    if (this.#doubtful) this.#flows = false;
    else if (BODY.has(key)) this.#flows = true;
  }

  #valueStart(depth: number, at: number, first: number): void {
    const key = this.#keys[depth];
    if (depth === 0 && first !== OPEN_BRACE) return this.#fail('it is no object');
    if (depth === 1 && key === 'id') return this.#replace(at, this.#options.idText);
    if (depth === 1 && key === 'result') {
      if (first !== OPEN_BRACE) return this.#fail('its result is no object');
      this.#json.watched = 2;
    } else if (depth === 2 && key === '_meta') {
      if (first === OPEN_BRACE) this.#json.watched = 3;
      else this.#replace(at, `{${this.#serverInfo()}}`);
    }
  }

  #valueEnd(depth: number, at: number, token: string | undefined): void {
    if (this.#skipping && ((depth === 1 && this.#keys[1] === 'id') || (depth === 2 && this.#keys[2] === '_meta'))) {
      this.#skipping = false;
      this.#copiedTo = at;
    }
    if (depth === 1) this.#checkMember(this.#keys[1], token);
    else if (depth === 2 && this.#keys[2] === 'resultType') {
      if (token === undefined || stringOf(token) !== 'complete') this.#fail('its result is not of the type "complete"');
      else this.#flows = this.#told = true;
    } else if (depth === 2 && this.#keys[2] === 'isError') {
      this.#isError = token === 'true';
    }
  }

  #checkMember(key: string | undefined, token: string | undefined): void {
    const { expectedId } = this.#options;
    if (key === 'jsonrpc' && (token === undefined || stringOf(token) !== '2.0')) this.#fail('its member "jsonrpc" is not "2.0"');
    if (key === 'id' && expectedId !== undefined && token !== expectedId) this.#fail('it has another id');
    if (key === 'result') this.#json.watched = 1;
  }

  #serverInfo(): string {
    return `${JSON.stringify(META.serverInfo)}:${JSON.stringify(this.#options.serverInfo)}`;
  }

  #missing(depth: number): string[] {
    const seen = this.#seen[depth];
    if (depth === 3) return seen?.has(META.serverInfo) ? [] : [this.#serverInfo()];
    if (depth !== 2) return [];
    const { cache } = this.#options;
    const members: string[] = [];
    if (!seen?.has('resultType')) members.push('"resultType":"complete"');
    if (!seen?.has('_meta')) members.push(`"_meta":{${this.#serverInfo()}}`);
    if (cache !== undefined && !seen?.has('ttlMs')) members.push(`"ttlMs":${cache.ttlMs}`);
    if (cache !== undefined && !seen?.has('cacheScope')) members.push(`"cacheScope":"${cache.cacheScope}"`);
    return members;
  }

  #objectEnd(depth: number, at: number, empty: boolean): void {
    const missing = this.#missing(depth);
    if (depth === 3) this.#json.watched = 2;
    if (missing.length === 0) return;
    this.#copy(at);
    this.#push(Buffer.from(`${empty ? '' : ','}${missing.join(',')}`));
  }
}
