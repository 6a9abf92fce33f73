import { createHash } from 'node:crypto';
import { canonicalJson, inputRequestText, jsonText, RPC, rpcError, type Ask, type AskAnswer, type JsonText } from '../../protocol/index.ts';

/** Questions that may be open at once, and in all, within one call. */
export const MAX_OPEN = 64;
const MAX_ASKS = 1_000;

/** Ids that are fit to be keys of a JSON object at any client. */
const FIT = /^(?!__)[\w.:/-]{1,128}$/;

export const TOO_MUCH: AskAnswer = { error: rpcError(RPC.internalError, 'The client cannot be asked that much.') };

interface Entry {
  readonly ask: Ask;
  /** As an entry of `inputRequests`. */
  readonly text: string;
  readonly resolve: (answer: AskAnswer) => void;
}

/** The questions of one parked call: each has a key that is never used again, and is answered upstream once (PROTOCOL D). */
export class OpenAsks {
  readonly #maxBytes: number;
  readonly #open = new Map<string, Entry>();
  readonly #keys = new Set<string>();
  #bytes = 0;
  #minted = 0;
  /** True if other questions are open than those that were told last. */
  changed = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#open.size;
  }

  /** True if no more may be waited for. */
  get full(): boolean {
    return this.#open.size >= MAX_OPEN;
  }

  /** Opens a question of the server; `id` is that of its request. The signal takes it back. Resolves with what the server is to be answered. */
  add(id: string | number, ask: Ask, signal: AbortSignal, onWithdrawn: () => void): Promise<AskAnswer> {
    const text = inputRequestText(ask);
    if (this.full || this.#keys.size >= MAX_ASKS || this.#bytes + text.length > this.#maxBytes || signal.aborted)
      return Promise.resolve(TOO_MUCH);
    const key = this.#key(id);
    this.#keys.add(key);
    const { promise, resolve } = Promise.withResolvers<AskAnswer>();
    const withdraw = (): void => {
      if (this.#close(key, { error: rpcError(RPC.internalError, 'The request was cancelled.') })) onWithdrawn();
    };
    signal.addEventListener('abort', withdraw, { once: true });
    this.#open.set(key, {
      ask,
      text,
      resolve: (answer) => {
        signal.removeEventListener('abort', withdraw);
        resolve(answer);
      },
    });
    this.#bytes += text.length;
    this.changed = true;
    return promise;
  }

  /** The open questions as entries of `inputRequests`. */
  entries(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#open, ([key, { text }]) => [key, text]));
  }

  asks(): readonly Ask[] {
    return Array.from(this.#open.values(), ({ ask }) => ask);
  }

  /** Hands answers to the server; those to other questions than the open ones are left. How many were handed over. */
  give(answers: ReadonlyMap<string, JsonText>): number {
    let given = 0;
    for (const [key, result] of answers) if (this.#close(key, { result })) given++;
    return given;
  }

  /** True if these answer everything that is open. */
  covered(answers: ReadonlyMap<string, JsonText>): boolean {
    for (const key of this.#open.keys()) if (!answers.has(key)) return false;
    return this.#open.size > 0;
  }

  /** Tells answers to questions of this call apart, whatever else stands beside them and however they are written. */
  digest(answers: ReadonlyMap<string, JsonText>): string {
    const known = [...answers].filter(([key]) => this.#keys.has(key)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const text = canonicalJson(known.map(([key, { value }]) => [key, value]));
    return createHash('sha256').update(text).digest('base64');
  }

  /** Nobody will answer any more. */
  refuse(): void {
    for (const [key, { ask }] of this.#open) this.#close(key, refusal(ask));
  }

  #key(id: string | number): string {
    if (typeof id === 'string' && FIT.test(id) && !this.#keys.has(id)) return id;
    for (;;) {
      const key = `ask-${++this.#minted}`;
      if (!this.#keys.has(key)) return key;
    }
  }

  #close(key: string, answer: AskAnswer): boolean {
    const entry = this.#open.get(key);
    if (entry === undefined) return false;
    this.#open.delete(key);
    this.#bytes -= entry.text.length;
    this.changed = true;
    entry.resolve(answer);
    return true;
  }
}

/** What a server is told whose question nobody answers: a person is said to have dismissed it. */
export function refusal({ method }: Ask): AskAnswer {
  if (method === 'elicitation/create') return { result: jsonText({ action: 'cancel' }) };
  return { error: rpcError(RPC.internalError, 'The client did not answer.') };
}
