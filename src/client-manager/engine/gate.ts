import type { Caps, Gauge } from '../../shared/index.ts';

export interface GateOptions {
  readonly server: string;
  /** Calls that run at once. */
  readonly running: number;
  /** Calls that wait, all principals together. */
  readonly queued: number;
  readonly caps: Caps;
}

/** How a wait ended. */
export type Waited = 'go' | 'canceled' | 'late';

interface Waiter {
  readonly principal: string;
  readonly end: (how: Waited) => void;
}

/**
 * So many calls of one server at once, and a bounded queue for more. Principals take turns: one that sends a thousand calls does not
 * hold up another's first.
 */
export class Gate implements Gauge {
  readonly name: string;
  readonly cap: number;
  readonly #options: GateOptions;
  #running = 0;
  #queued = 0;
  #refused = 0;
  /** The queues of the principals that wait, in the order of their turns. */
  readonly #queues = new Map<string, Waiter[]>();

  constructor(options: GateOptions) {
    this.#options = options;
    this.name = `upstream_queue:${options.server}`;
    this.cap = options.queued;
    options.caps.add(this);
  }

  /** Calls that wait. */
  get size(): number {
    return this.#queued;
  }

  get refused(): number {
    return this.#refused;
  }

  get running(): number {
    return this.#running;
  }

  /** True if the call may go now; false if it has to `wait`. */
  enter(): boolean {
    if (this.#running >= this.#options.running || this.#queued > 0) return false;
    this.#running++;
    return true;
  }

  /** Waits for a turn; undefined if the queue is full. `go` is a place that must be given back by `leave`. */
  wait(principal: string, ms: number, signal: AbortSignal): Promise<Waited> | undefined {
    if (this.#queued >= this.#options.queued) {
      this.#refused++;
      return undefined;
    }
    if (signal.aborted) return Promise.resolve('canceled');
    this.#queued++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#drop(waiter, 'late'), Math.max(0, ms));
      const onAbort = (): void => this.#drop(waiter, 'canceled');
      const waiter: Waiter = {
        principal,
        end(how) {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          resolve(how);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const queue = this.#queues.get(principal);
      if (queue === undefined) this.#queues.set(principal, [waiter]);
      else queue.push(waiter);
    });
  }

  /** Gives a place back: to the next that waits. */
  leave(): void {
    const next = this.#next();
    if (next === undefined) this.#running--;
    else next.end('go');
  }

  /** Ends every wait. */
  stop(): void {
    for (const waiter of Array.from(this.#queues.values()).flat()) this.#drop(waiter, 'canceled');
    this.#options.caps.remove(this);
  }

  #next(): Waiter | undefined {
    for (const [principal, queue] of this.#queues) {
      // Behind the others: its next call waits for their turns.
      this.#queues.delete(principal);
      const waiter = queue.shift();
      if (queue.length > 0) this.#queues.set(principal, queue);
      if (waiter === undefined) continue;
      this.#queued--;
      return waiter;
    }
    return undefined;
  }

  #drop(waiter: Waiter, how: Waited): void {
    const queue = this.#queues.get(waiter.principal);
    const at = queue?.indexOf(waiter) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.#queues.delete(waiter.principal);
    this.#queued--;
    waiter.end(how);
  }
}
