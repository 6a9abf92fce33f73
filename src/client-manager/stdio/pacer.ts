import type { Readable } from 'node:stream';

const WINDOW_MS = 100;

/**
 * Lets a child write only so much noise in a tenth of a second; then its pipe is not read for a moment. It slows that child down
 * and nobody else (PROTOCOL A13).
 */
export class Pacer {
  readonly #stream: Readable;
  readonly #bytesPerWindow: number;
  #seen = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Readable, bytesPerWindow: number) {
    this.#stream = stream;
    this.#bytesPerWindow = bytesPerWindow;
  }

  noise(bytes: number): void {
    this.#seen += bytes;
    this.#timer ??= setTimeout(() => this.#next(), WINDOW_MS).unref();
    if (this.#seen > this.#bytesPerWindow) this.#stream.pause();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#next();
  }

  #next(): void {
    this.#timer = undefined;
    this.#seen = 0;
    if (this.#stream.isPaused()) this.#stream.resume();
  }
}
