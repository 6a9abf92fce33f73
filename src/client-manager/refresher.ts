/** Reads a list again when it is said to have changed: many announcements in a row cost one reading, and only one runs at a time. */
export class Refresher {
  readonly #delayMs: number;
  readonly #refresh: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  /** `refresh` must not reject. */
  constructor(delayMs: number, refresh: () => Promise<void>) {
    this.#delayMs = delayMs;
    this.#refresh = refresh;
  }

  soon(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#running !== undefined) this.#again = true;
      else void this.now();
    }, this.#delayMs).unref();
  }

  /** Reads the list, or joins the reading that is under way. */
  now(): Promise<void> {
    this.#running ??= this.#refresh().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.soon();
    });
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
