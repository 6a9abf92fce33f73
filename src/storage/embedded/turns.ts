import { storageError } from '../errors.ts';
import type { StorageLimits } from '../limits.ts';

type TurnLimits = Pick<StorageLimits, 'waitMs' | 'queueMs' | 'idleInTransactionMs' | 'maxWaiting'>;

/** The right to use the one connection, from `take` to `end`. */
export interface Turn {
  readonly expired: boolean;
  statementStarted(sql: string): void;
  statementEnded(): void;
  end(): void;
}

interface Waiter {
  readonly since: number;
  readonly grant: (turn: Holder) => void;
  readonly refuse: (error: Error) => void;
  timer: NodeJS.Timeout;
}

const opening = /^\s*(begin|start transaction|savepoint|set )/i;

class Holder implements Turn {
  expired = false;
  ended = false;
  running = 0;
  label = 'begin';
  lastActive = performance.now();
  readonly since = this.lastActive;
  idleTimer: NodeJS.Timeout | undefined;
  readonly #queue: TurnQueue;

  constructor(queue: TurnQueue) {
    this.#queue = queue;
  }

  statementStarted(sql: string): void {
    this.running += 1;
    if (this.label === 'begin' && !opening.test(sql)) this.label = sql.replaceAll(/\s+/g, ' ').trim().slice(0, 120);
    clearTimeout(this.idleTimer);
  }

  statementEnded(): void {
    this.running -= 1;
    this.lastActive = performance.now();
    this.#queue.watchIdle(this);
  }

  end(): void {
    this.#queue.finish(this);
  }
}

/**
 * First come, first served turns on one connection. A caller that waits behind a holder which sends nothing would wait for ever if the
 * holder awaits that very caller (a query outside the handle inside a transaction), so it fails after `waitMs` and names the holder.
 */
export class TurnQueue {
  #holder: Holder | undefined;
  readonly #waiting = new Set<Waiter>();
  #closed: Error | undefined;
  #idle: (() => void)[] = [];
  readonly #limits: TurnLimits;
  readonly #onExpired: () => Promise<void>;

  /** `onExpired` rolls back what a holder left open; its turn ends when that is done. */
  constructor(limits: TurnLimits, onExpired: () => Promise<void>) {
    this.#limits = limits;
    this.#onExpired = onExpired;
  }

  /** Rejects `storage_busy` (stuck, too long, or too many waiting) or with the error given to `close`. */
  take(): Promise<Turn> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (!this.#holder) return Promise.resolve(this.#grant());
    if (this.#waiting.size >= this.#limits.maxWaiting) {
      return Promise.reject(
        storageError('storage_busy', `The database is busy: ${this.#waiting.size} callers wait already. Try again in a moment.`),
      );
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        since: performance.now(),
        grant: resolve,
        refuse: reject,
        timer: this.#arm(() => waiter, this.#limits.waitMs),
      };
      this.#waiting.add(waiter);
    });
  }

  /** Refuses whoever waits or comes later. */
  close(reason: Error): void {
    this.#closed ??= reason;
    for (const waiter of this.#waiting) this.#refuse(waiter, reason);
    this.#settleIdle();
  }

  /** Resolves when nobody holds or awaits a turn. */
  drained(): Promise<void> {
    if (!this.#holder) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  finish(holder: Holder): void {
    clearTimeout(holder.idleTimer);
    if (holder.ended) return;
    holder.ended = true;
    this.#holder = undefined;
    const [next] = this.#waiting;
    if (!next) {
      this.#settleIdle();
      return;
    }
    this.#waiting.delete(next);
    clearTimeout(next.timer);
    next.grant(this.#grant());
  }

  watchIdle(holder: Holder): void {
    clearTimeout(holder.idleTimer);
    if (holder.ended || holder.running > 0) return;
    holder.idleTimer = setTimeout(() => {
      holder.expired = true;
      void this.#onExpired().then(
        () => this.finish(holder),
        () => this.finish(holder),
      );
    }, this.#limits.idleInTransactionMs);
    holder.idleTimer.unref();
  }

  #grant(): Holder {
    const holder = new Holder(this);
    this.#holder = holder;
    this.watchIdle(holder);
    return holder;
  }

  #arm(waiter: () => Waiter, ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => this.#review(waiter()), ms);
    return timer;
  }

  #review(waiter: Waiter): void {
    const holder = this.#holder;
    if (!holder || !this.#waiting.has(waiter)) return;
    const now = performance.now();
    const queueLeft = this.#limits.queueMs - (now - waiter.since);
    const stuckFor = holder.running > 0 ? 0 : now - Math.max(waiter.since, holder.lastActive);
    const stuckLeft = this.#limits.waitMs - stuckFor;
    const left = Math.min(queueLeft, stuckLeft);
    if (left > 0) {
      waiter.timer = this.#arm(() => waiter, left);
      return;
    }
    this.#refuse(waiter, busy(holder, now));
  }

  #refuse(waiter: Waiter, error: Error): void {
    clearTimeout(waiter.timer);
    if (this.#waiting.delete(waiter)) waiter.refuse(error);
  }

  #settleIdle(): void {
    if (this.#holder) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

function busy(holder: Holder, now: number): Error {
  const seconds = ((now - holder.since) / 1000).toFixed(1);
  const doing = holder.running > 0 ? 'is still running' : 'is still open';
  const message =
    `The database connection is taken: "${holder.label}" began ${seconds} s ago and ${doing}. ` +
    'Inside a transaction, use the transaction handle for every query.';
  return storageError('storage_busy', message, { detail: { holder: holder.label } });
}
