import { Bounded, BoundedCount, type Caps, type Gauge } from '../../shared/index.ts';
import type { Limits } from '../limits.ts';
import { expiresAt, type TaskFacts } from './stored-task.ts';

interface Kept {
  readonly id: string;
  readonly expiresAt: number;
  bytes: number;
}

/** The tasks that one principal runs at once: the gauge shows the most that any has. */
class PrincipalPlaces implements Gauge {
  readonly name = 'tasks_running_of_principal';
  readonly cap: number;
  refused = 0;
  /** No more principals than running tasks. */
  readonly #counts = new Map<string, number>();

  constructor(cap: number) {
    this.cap = cap;
  }

  get size(): number {
    return Math.max(0, ...this.#counts.values());
  }

  enter(principal: string): boolean {
    const count = this.#counts.get(principal) ?? 0;
    if (count >= this.cap) {
      this.refused++;
      return false;
    }
    this.#counts.set(principal, count + 1);
    return true;
  }

  leave(principal: string): void {
    const count = (this.#counts.get(principal) ?? 0) - 1;
    if (count > 0) this.#counts.set(principal, count);
    else this.#counts.delete(principal);
  }
}

/** How many tasks there may be: running ones in all and of one principal, those that are kept, and the bytes of their results. */
export class TaskPlaces {
  readonly #caps: Caps;
  readonly #limits: Limits;
  readonly #running: BoundedCount;
  readonly #ofPrincipal: PrincipalPlaces;
  readonly #kept: Bounded<string, Kept>;
  #bytes = 0;

  constructor(caps: Caps, limits: Limits) {
    this.#caps = caps;
    this.#limits = limits;
    this.#running = new BoundedCount('tasks_running', limits.maxTasks, caps);
    this.#ofPrincipal = new PrincipalPlaces(limits.maxTasksPerPrincipal);
    caps.add(this.#ofPrincipal);
    this.#kept = new Bounded({ name: 'tasks_kept', cap: limits.maxTasksKept, caps });
  }

  /** Takes the places of a task that begins; why there is none, otherwise. */
  take(facts: TaskFacts): string | undefined {
    const { id, principal, createdAt } = facts;
    if (!this.#ofPrincipal.enter(principal)) return `${this.#ofPrincipal.cap} tasks of yours run, which is the limit of the gateway`;
    if (this.#running.enter()) {
      if (this.#kept.set(id, { id, expiresAt: expiresAt(facts), bytes: 0 }, createdAt)) return undefined;
      this.#running.leave();
    }
    this.#ofPrincipal.leave(principal);
    return 'the gateway is at its limit of tasks';
  }

  /** The task does not run any more. */
  leave({ principal }: TaskFacts): void {
    this.#ofPrincipal.leave(principal);
    this.#running.leave();
  }

  /** True if there is room for a result of so many bytes. */
  keep({ id }: TaskFacts, bytes: number): boolean {
    const kept = this.#kept.peek(id);
    if (kept === undefined || this.#bytes + bytes > this.#limits.taskResultsBytes) return false;
    kept.bytes = bytes;
    this.#bytes += bytes;
    return true;
  }

  /** Tasks whose lifetime is over. */
  expired(now: number): string[] {
    return Array.from(this.#kept.values()).flatMap((kept) => (kept.expiresAt <= now ? [kept.id] : []));
  }

  forget(id: string): void {
    this.#bytes -= this.#kept.peek(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }

  stop(): void {
    for (const gauge of [this.#running, this.#ofPrincipal, this.#kept]) this.#caps.remove(gauge);
  }
}
