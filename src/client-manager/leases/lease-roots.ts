import { jsonText, RPC, type AskAnswer, type AskClient } from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import type { Connection } from '../connection.ts';
import { ownExchange } from '../own-requests.ts';
import type { Root } from '../types.ts';
import { settledWithin } from '../waiting.ts';

export interface LeaseRootsOptions {
  readonly connection: Connection;
  /** What is answered where no client can be asked. */
  readonly configured: readonly Root[];
}

const CHANGED = 'notifications/roots/list_changed';
/** Over these the server reads our messages in our order, and asks nothing before we listen. */
const IN_ORDER: ReadonlySet<string> = new Set(['stdio-legacy', 'ws-legacy']);
/** A server that answers no `ping` is waited for so long. */
const PING_MS = 1_000;
/** A client that was asked before the call may not have heard it: its answer is waited for so long. */
const EARLIER_MS = 2_000;
/** What a server is left to take in the roots that it was told: it does not say when it has. */
const TAKE_IN_MS = 25;

/**
 * What the server behind a leased connection knows of roots (PROTOCOL A2). Servers ask for them when they start, and keep what they are told:
 * so they get the time to ask before the first call, and are told of a change before the connection goes to another client.
 */
export class LeaseRoots {
  readonly #options: LeaseRootsOptions;
  readonly #inOrder: boolean;
  /** Answers that are waited for. */
  readonly #open = new Set<Promise<AskAnswer>>();
  /** True if the server has asked since the last call was sent. */
  #asked = false;
  /** The next call waits until the server had the time to ask. */
  #due = true;
  /** The server is to be told that it knows too little, or what is not true of the next call's client. */
  #stale: boolean;
  /** The last answer of the client that the connection is for. */
  #known: AskAnswer | undefined;

  constructor(options: LeaseRootsOptions) {
    this.#options = options;
    this.#inOrder = IN_ORDER.has(options.connection.via);
    // Over HTTP what it asked at its start may have been lost, or was answered without a client.
    this.#stale = !this.#inOrder;
  }

  /** Before a call: the server asks for roots if it wants to, and has the answer. Never rejects. */
  async settle(signal: AbortSignal): Promise<void> {
    if (!this.#due) return;
    this.#due = false;
    const earlier = new Set(this.#open);
    await this.#ask(signal);
    if (!this.#asked) return;
    this.#asked = false;
    await settledWithin(Promise.all(earlier), EARLIER_MS, signal);
    await Promise.all([...this.#open].filter((one) => !earlier.has(one)));
    await this.#ping(signal);
    await sleep(TAKE_IN_MS, signal).catch(() => undefined);
  }

  /** The answer to a `roots/list`: that of the client which is asked with `ask`, if there is one. Never an error that is only ours. */
  async answer(ask: () => Promise<AskAnswer> | undefined): Promise<AskAnswer> {
    const asked = ask();
    const answer = asked && (await this.#wait(asked));
    if (answer !== undefined && !isNobodys(answer)) {
      this.#known = answer;
      return answer;
    }
    if (this.#known !== undefined) return this.#known;
    this.#due = this.#stale = true;
    return { result: jsonText({ roots: this.#options.configured }) };
  }

  /** The client has other roots now. The server is told at once if `ask` says that the client can be asked, else before the next call. */
  changed(ask: AskClient | undefined): void {
    this.#known = undefined;
    this.#asked = false;
    this.#due = true;
    this.#stale = ask === undefined;
    if (ask !== undefined) this.#options.connection.notify(CHANGED);
  }

  /** The next call may be another client's. */
  forget(): void {
    if (this.#known !== undefined) this.#due = this.#stale = true;
    this.#known = undefined;
    this.#asked = false;
  }

  /** The server answers `ping` after it has read what we said before, and asked what it asks for that reason. */
  async #ask(signal: AbortSignal): Promise<void> {
    if (this.#stale) this.#options.connection.notify(CHANGED);
    // A POST may be overtaken by one that follows it, but hardly by one that follows that one's answer.
    if (this.#stale && !this.#inOrder) await this.#ping(signal);
    this.#stale = false;
    await this.#ping(signal);
  }

  async #ping(signal: AbortSignal): Promise<void> {
    await this.#options.connection.exchange(ownExchange({ method: 'ping', params: {}, timeoutMs: PING_MS, signal }));
  }

  async #wait(asked: Promise<AskAnswer>): Promise<AskAnswer> {
    this.#asked = true;
    this.#open.add(asked);
    try {
      return await asked;
    } finally {
      this.#open.delete(asked);
    }
  }
}

/** True for what we say where a client could not be asked, or did not answer. */
const isNobodys = (answer: AskAnswer): boolean =>
  'error' in answer && (answer.error.code === RPC.internalError || answer.error.code === RPC.busy);
