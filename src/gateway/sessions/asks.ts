import { randomInt } from 'node:crypto';
import { notificationText, requestText, RPC, rpcError, type Ask, type AskAnswer, type ResponseMessage } from '../../protocol/index.ts';
import type { BoundedCount } from '../../shared/index.ts';

/** Where messages of one request, or of none, leave for the client. */
export interface Outlet {
  /** Sends JSON-RPC text. What is `droppable` may be left out for a reader that is behind. False if it can reach the client no more. */
  send(text: string, droppable: boolean): boolean;
  /** False while nobody reads what is sent. */
  readonly listening?: boolean;
}

export interface AsksOptions {
  /** Open asks of all clients. */
  readonly open: BoundedCount;
  /** How long a client, and the person in front of it, may take: milliseconds. */
  readonly deadlineMs: number;
}

/** Open asks of one client. */
const MAX_ASKS = 64;

const MAX_FIRST_ID = 2 ** 30;

type Finish = (answer: AskAnswer) => void;

const failed = (code: number, message: string): AskAnswer => ({ error: rpcError(code, message) });

/** Requests of ours to one legacy client: sent with ids of our own, matched with its responses. */
export class Asks {
  readonly #options: AsksOptions;
  readonly #waiting = new Map<number, Finish>();
  /** Not from 1 on: a late answer to a gateway that served this client before must not be taken for one to us. */
  #lastId = randomInt(MAX_FIRST_ID);

  constructor(options: AsksOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Never rejects: an abort, a lost client, a cap and the deadline are errors in the answer. */
  ask(ask: Ask, signal: AbortSignal, outlet: Outlet): Promise<AskAnswer> {
    if (signal.aborted) return Promise.resolve(failed(RPC.internalError, 'The request was canceled.'));
    if (this.#waiting.size >= MAX_ASKS || !this.#options.open.enter())
      return Promise.resolve(failed(RPC.busy, 'Too many questions to clients are open. Try again later.'));
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const giveUp = (reason: string): void => {
        outlet.send(notificationText('notifications/cancelled', JSON.stringify({ requestId: id, reason })), false);
        finish(failed(RPC.internalError, reason));
      };
      const onAbort = (): void => giveUp('The request was canceled.');
      const timer = setTimeout(() => giveUp('The client did not answer in time.'), this.#options.deadlineMs);
      timer.unref();
      const finish: Finish = (answer) => {
        if (!this.#waiting.delete(id)) return;
        this.#options.open.leave();
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(answer);
      };
      this.#waiting.set(id, finish);
      signal.addEventListener('abort', onAbort, { once: true });
      const sent = outlet.send(requestText(id, ask.method, ask.params?.text ?? '{}'), false);
      if (!sent) finish(failed(RPC.internalError, 'The client cannot be reached for a question.'));
    });
  }

  /** A response of the client. One that answers nothing, or what was answered before, is ignored. */
  answer({ id, result, error }: ResponseMessage): void {
    const finish = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (result !== undefined) finish?.({ result });
    else finish?.({ error: error ?? rpcError(RPC.internalError, 'The client answered without a result.') });
  }

  /** The client can answer no more. */
  end(reason = 'The client is gone.'): void {
    for (const finish of this.#waiting.values()) finish(failed(RPC.internalError, reason));
  }
}
