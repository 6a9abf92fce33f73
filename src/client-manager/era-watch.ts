import type { Era, Implementation } from '../protocol/index.ts';
import { sleep } from '../shared/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { openConnection } from './connect.ts';
import { RefusedError, type Connection } from './connection.ts';
import type { Doubt } from './eras.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig } from './types.ts';

export interface EraWatchOptions {
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: UpstreamConfig;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly gateway: Implementation;
  readonly records: ChildRecords;
  readonly emit: Emit;
  /** `main` is the connection in the server's preferred era; `second` is one in the legacy era beside it. */
  readonly side: 'main' | 'second';
}

const DOUBTS: readonly Doubt[] = ['strange', 'ordinary'];
const NO = Promise.resolve(false);
const YES = Promise.resolve(true);

/**
 * Notices that a server has changed its era behind a connection that is up (PROTOCOL A9). The server is asked beside the connection, from time
 * to time and when its answers give reason to doubt, so nothing that a client does can end a good one.
 */
export class EraWatch {
  readonly #options: EraWatchOptions;
  /** The era of the connection, until the server is found to speak another. */
  #speaks: Era | undefined;
  #ask: () => Promise<boolean> = () => NO;
  /** What is being found out just now. */
  #asking: Promise<boolean> | undefined;
  /** Until when a doubt of a kind is put off, on the clock of `performance.now()`. */
  readonly #quiet = new Map<string, number>();
  #reminder: NodeJS.Timeout | undefined;

  constructor(options: EraWatchOptions) {
    this.#options = options;
  }

  /** What the server speaks, as far as we know. */
  get speaks(): Era | undefined {
    return this.#speaks;
  }

  /** Resolves with the reason once the server does not speak the connection's era any more, or a better one; never, once the signal is aborted. */
  outdated({ era }: Connection, signal: AbortSignal): Promise<string> {
    const { config, side } = this.#options;
    this.#speaks = era;
    if (config.era !== 'auto') return new Promise(() => undefined);
    return new Promise((resolve) => {
      this.#ask = async () => {
        const turned = await this.#hasTurned(era, signal);
        if (signal.aborted) return this.#speaks !== era;
        if (!turned) return false;
        this.#speaks = era === 'modern' ? 'legacy' : 'modern';
        resolve(era === 'modern' || side === 'second' ? `it does not speak a ${era} revision any more` : 'it speaks a modern revision now');
        return true;
      };
      signal.addEventListener('abort', () => this.#forgetReminder(), { once: true });
      // A child that has shown that it is modern stays so to its end.
      if (side === 'main' && !(config.transport === 'stdio' && era === 'modern')) this.#repeat(signal).catch(() => undefined);
    });
  }

  /**
   * A server refused what no server of this era refuses, or only ever refuses: it is asked for its era, but not twice in `renewMs` for the same doubt.
   * Resolves true if it speaks another one by now; never rejects.
   */
  doubt(era: Era, doubt: Doubt): Promise<boolean> {
    const { config, limits } = this.#options;
    // A child keeps its era to its end, and to ask is to start another one.
    if (this.#speaks === undefined || config.era !== 'auto' || config.transport === 'stdio') return NO;
    if (this.#speaks !== era) return YES;
    if (this.#asking !== undefined) return this.#asking;
    const now = performance.now();
    const waitMs = (this.#quiet.get(`${era} ${doubt}`) ?? now) - now;
    if (waitMs > 0) {
      this.#reminder ??= setTimeout(() => {
        this.#reminder = undefined;
        void this.doubt(era, doubt);
      }, waitMs).unref();
      return NO;
    }
    // Ordinary refusals must not keep a strange one from being looked into.
    for (const kind of doubt === 'strange' ? DOUBTS : [doubt]) this.#quiet.set(`${era} ${kind}`, now + limits.renewMs);
    return this.#now();
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    do await sleep(this.#options.limits.verdictMs, signal);
    while (!(await this.#now()));
  }

  /** Asks, or joins the asking that is under way. */
  #now(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  #forgetReminder(): void {
    clearTimeout(this.#reminder);
    this.#reminder = undefined;
  }

  /** Whether a fresh connection comes about in another era, or in the only one that is of use here does not. */
  async #hasTurned(era: Era, signal: AbortSignal): Promise<boolean> {
    const { limits, side } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(limits.connectMs)]);
    const legacy = side === 'second' ? 'legacy' : 'modern';
    try {
      const asked = era === 'modern' ? 'auto' : legacy;
      const connection = await openConnection({ ...this.#options, purpose: 'check', era: asked }, deadline);
      await connection.close();
      return connection.era !== era;
    } catch (error) {
      return side === 'second' && error instanceof RefusedError;
    }
  }
}
