/** What can be told to wait: a child's pipe, a socket, an HTTP answer. */
export interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

const WINDOW_MS = 100;

/**
 * Lets a server write only so much noise in a tenth of a second; then it is not read for a moment. It slows that server down and
 * nobody else (PROTOCOL A13).
 */
export class Pacer {
  readonly #stream: Pausable;
  readonly #bytesPerWindow: number;
  #seen = 0;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;

  constructor(stream: Pausable, bytesPerWindow: number) {
    this.#stream = stream;
    this.#bytesPerWindow = bytesPerWindow;
  }

  noise(bytes: number): void {
    this.#seen += bytes;
    this.#timer ??= setTimeout(() => this.#next(), WINDOW_MS).unref();
    if (this.#seen <= this.#bytesPerWindow || this.#paused) return;
    this.#paused = true;
    this.#stream.pause();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#next();
  }

  #next(): void {
    this.#timer = undefined;
    this.#seen = 0;
    if (!this.#paused) return;
    this.#paused = false;
    this.#stream.resume();
  }
}
