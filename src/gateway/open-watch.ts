import type { JsonText } from '../protocol/index.ts';
import type { Watch } from './client-port.ts';

/** Notices that came before the acknowledgement, at most: more of them say nothing new to somebody who has just begun to listen. */
const MAX_EARLY = 256;

type OnNotice = (method: string, params: JsonText | undefined) => void;

/** A watch whose notices are held back until its acknowledgement is sent (S26 subscriptions, "Acknowledgment"). */
export class OpenWatch {
  #watch: Watch | undefined;
  #early: [string, JsonText | undefined][] | undefined = [];
  #tell: OnNotice | undefined;

  /** For the hub: what the watch hears. */
  readonly hear: OnNotice = (method, params) => {
    if (this.#tell !== undefined) this.#tell(method, params);
    else if (this.#early !== undefined && this.#early.length < MAX_EARLY) this.#early.push([method, params]);
  };

  get watch(): Watch | undefined {
    return this.#watch;
  }

  /** False at the hub's cap. */
  opened(watch: Watch | undefined): boolean {
    this.#watch = watch;
    return watch !== undefined;
  }

  /** From now on notices go to `tell`, those of before first. */
  release(tell: OnNotice): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#tell = tell;
    for (const [method, params] of early) tell(method, params);
  }

  close(): void {
    this.#watch?.close();
    this.#early = undefined;
    this.#tell = undefined;
  }
}
