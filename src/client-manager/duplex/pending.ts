import type { Exchange, Reply } from '../connection.ts';
import type { Expiring } from '../deadlines.ts';

/** Who ends a call that nobody waits for any more. */
export interface PendingOwner {
  giveUp(pending: Pending, why: 'canceled' | 'deadline'): void;
}

/** A request that waits for its answer on a channel that it shares with others. */
export class Pending implements Expiring {
  readonly id: number;
  readonly exchange: Exchange;
  readonly expiresAt: number;
  slot = -1;
  readonly begunAt = performance.now();
  /** The request's text until it is written; then it may have taken effect. */
  text: string | undefined;
  readonly #owner: PendingOwner;
  readonly #resolve: (reply: Reply) => void;

  constructor(owner: PendingOwner, id: number, text: string, exchange: Exchange, resolve: (reply: Reply) => void) {
    this.#owner = owner;
    this.id = id;
    this.text = text;
    this.exchange = exchange;
    this.expiresAt = exchange.expiresAt;
    this.#resolve = resolve;
    exchange.signal?.addEventListener('abort', this);
  }

  get isSent(): boolean {
    return this.text === undefined;
  }

  /** The text, which counts as sent from now on. */
  take(): string {
    const text = this.text ?? '';
    this.text = undefined;
    return text;
  }

  /** The caller's signal: an object as listener needs no closure per call. */
  handleEvent(): void {
    this.#owner.giveUp(this, 'canceled');
  }

  expire(): void {
    this.#owner.giveUp(this, 'deadline');
  }

  settle(reply: Reply): void {
    this.exchange.signal?.removeEventListener('abort', this);
    this.#resolve(reply);
  }
}
