import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, identityOf, ticksNow } from './processes.ts';

/** A running child as it stands on disk, for a gateway that starts after this one was killed. */
export interface ChildRecord {
  /** Process id, and because the child leads its own group and session, the id of both. */
  readonly pid: number;
  /** Start time of the process (`identityOf`). */
  readonly identity: string | undefined;
  readonly server: string;
  readonly boot: string;
  /** When a gateway last saw it run, in clock ticks since boot. */
  readonly seenAt: number;
  /** The gateway that started it: while that runs, the child is no orphan. */
  readonly owner: { readonly pid: number; readonly identity: string | undefined };
}

const SEEN_MS = 30_000;
/** Slack on `seenAt`, in ticks of 10 ms. */
export const SEEN_TICKS = (2 * SEEN_MS) / 10;

/** One small file per running child, mode 0600. Written at once after the start: the shorter the gap, the fewer children escape it. */
export class ChildRecords {
  readonly #dir: string;
  readonly #live = new Map<number, ChildRecord>();
  readonly #owner = { pid: process.pid, identity: identityOf(process.pid) };
  readonly #boot = bootId();
  #timer: NodeJS.Timeout | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get size(): number {
    return this.#live.size;
  }

  add(pid: number, server: string): void {
    const record = { pid, identity: identityOf(pid), server, boot: this.#boot, seenAt: ticksNow(), owner: this.#owner };
    this.#live.set(pid, record);
    this.#write(record);
    this.#timer ??= setInterval(() => this.#seen(), SEEN_MS).unref();
  }

  remove(pid: number): void {
    this.#live.delete(pid);
    this.forget(pid);
    if (this.#live.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Removes the file of a child that is not ours. */
  forget(pid: number): void {
    rmSync(this.#path(pid), { force: true });
  }

  /** Records of gateways that run no more. */
  orphans(): ChildRecord[] {
    return this.#names()
      .map((name) => this.#read(name))
      .filter((record) => record !== undefined)
      .filter(({ owner }) => identityOf(owner.pid) === undefined || identityOf(owner.pid) !== owner.identity);
  }

  #seen(): void {
    const seenAt = ticksNow();
    for (const record of this.#live.values()) this.#write({ ...record, seenAt });
  }

  #write(record: ChildRecord): void {
    const path = this.#path(record.pid);
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#dir).filter((name) => /^\d+\.json$/.test(name));
    } catch {
      return [];
    }
  }

  #read(name: string): ChildRecord | undefined {
    try {
      const value = JSON.parse(readFileSync(join(this.#dir, name), 'utf8')) as ChildRecord;
      if (Number.isInteger(value.pid) && value.pid > 1 && Number.isInteger(value.owner.pid)) return value;
    } catch {
      // A file that is no record names nobody; it is removed.
    }
    rmSync(join(this.#dir, name), { force: true });
    return undefined;
  }

  #path(pid: number): string {
    return join(this.#dir, `${pid}.json`);
  }
}
