import type { Implementation } from '../protocol/index.ts';
import { openConnection } from './connect.ts';
import type { Connection } from './connection.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import { turnedModern } from './recheck.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig } from './types.ts';

export interface EraWatchOptions {
  readonly config: UpstreamConfig;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly gateway: Implementation;
  readonly records: ChildRecords;
  readonly emit: Emit;
  /** True while no call is under way. */
  readonly isIdle: () => boolean;
}

/** Notices that a server has changed its era behind a connection that is up (PROTOCOL A9). */
export class EraWatch {
  readonly #options: EraWatchOptions;
  #doubt: (() => void) | undefined;
  #doubtedAt = -Infinity;

  constructor(options: EraWatchOptions) {
    this.#options = options;
  }

  /** Resolves with the reason once the server speaks another era than the connection; never, once the signal is aborted. */
  outdated(connection: Connection, signal: AbortSignal): Promise<string> {
    const { config, limits, isIdle } = this.#options;
    if (config.era !== 'auto') return new Promise(() => undefined);
    if (connection.era === 'legacy') {
      const speaksModern = (): Promise<boolean> => this.#speaks('modern', signal);
      return turnedModern({ everyMs: limits.verdictMs, speaksModern, isIdle, signal });
    }
    return new Promise((resolve) => {
      this.#doubt = () => {
        void this.#speaks('legacy', signal).then((turned) => {
          if (turned && !signal.aborted) resolve('it does not speak a modern revision any more');
        });
      };
    });
  }

  /** A modern server refused what every modern server answers: its era is asked for, but not each time. */
  doubt(): void {
    const now = performance.now();
    if (now - this.#doubtedAt < this.#options.limits.refreshMinMs) return;
    this.#doubtedAt = now;
    this.#doubt?.();
  }

  /** Whether a fresh connection that asks the server for its era ends in this one. */
  async #speaks(era: 'modern' | 'legacy', signal: AbortSignal): Promise<boolean> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#options.limits.connectMs)]);
    try {
      const asked = era === 'modern' ? 'modern' : 'auto';
      const connection = await openConnection({ ...this.#options, purpose: 'check', era: asked }, deadline);
      await connection.close();
      return connection.era === era;
    } catch {
      return false;
    }
  }
}
