import type { Readable, Writable } from 'node:stream';
import { decodeMessage, RPC, rpcError, type Message } from '../../protocol/index.ts';
import type { Authentication } from '../../security/index.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import type { AsksOptions } from '../sessions/asks.ts';
import { Duplex, type Wire } from './duplex.ts';
import { LineReader, type Line } from './line-reader.ts';
import { oneLine } from './sse-stream.ts';

export interface StdioFaceOptions {
  readonly services: Services;
  readonly endpoint: Endpoint;
  /** Who the requests are from, asked for each. */
  readonly authenticate: () => Authentication;
  readonly input: Readable;
  readonly output: Writable;
  /** Aborts when the gateway shuts down: no further message is read, answers still due are written. */
  readonly closing: AbortSignal | undefined;
  readonly frameBytes: number;
  /** Requests in flight on one connection. */
  readonly maxInFlight: number;
  /** How long answers still due may take once the input ended. */
  readonly drainMs: number;
  readonly asks: AsksOptions;
}

const BEHIND_BYTES = 1024 * 1024;
const PROBE_MS = 250;
const RECHECK_MS = 60_000;

/** Newline-delimited messages on a byte stream. */
class Lines implements Wire {
  readonly #output: Writable;

  constructor(output: Writable) {
    this.#output = output;
  }

  get behind(): boolean {
    return this.#output.writableLength > BEHIND_BYTES;
  }

  write(text: string): void {
    if (this.#output.writable) this.#output.write(`${oneLine(text)}\n`);
  }
}

function messageOf(line: Line, frameBytes: number): Message {
  if (line.ok) return decodeMessage(line.text);
  const why = line.why === 'too_long' ? `a message is larger than ${frameBytes} bytes.` : 'a message is not valid UTF-8.';
  return { kind: 'invalid', idText: 'null', error: rpcError(RPC.parseError, `Parse error: ${why}`) };
}

/** Reads until the input ends, breaks, or the gateway closes. A client that does not read its answers is not read from either. */
function readLines({ input, output, closing, frameBytes }: StdioFaceOptions, take: (message: Message) => void): Promise<void> {
  const lines = new LineReader(frameBytes);
  const resume = (): void => void input.resume();
  return new Promise((resolve) => {
    const data = (chunk: Buffer): void => {
      for (const line of lines.feed(chunk)) take(messageOf(line, frameBytes));
      if (!output.writableNeedDrain || input.isPaused()) return;
      input.pause();
      output.once('drain', resume);
    };
    const done = (): void => {
      input.off('data', data).pause();
      output.off('drain', resume);
      output.off('close', done);
      closing?.removeEventListener('abort', done);
      for (const event of ['end', 'close', 'error']) input.off(event, done);
      input.on('error', () => undefined);
      resolve();
    };
    if (closing?.aborted === true || input.readableEnded || input.destroyed) return done();
    for (const event of ['end', 'close', 'error']) input.once(event, done);
    output.once('close', done);
    closing?.addEventListener('abort', done, { once: true });
    input.on('data', data);
  });
}

/**
 * On a socket the end of the input may be the other side's last word, or its death: only writing tells. Empty lines are no messages, and
 * the relay leaves them out. Returns what stops it.
 */
function probe({ input, output }: StdioFaceOptions): () => void {
  if ((input as unknown) !== output) return () => undefined;
  const timer = setInterval(() => {
    if (output.writable && output.writableLength === 0) output.write('\n');
  }, PROBE_MS);
  return () => clearInterval(timer);
}

/** Serves one client until its input ends; answers still due are written first. Both eras (S26 and S25 stdio). */
export async function serveStdio(options: StdioFaceOptions): Promise<void> {
  const { services, endpoint, authenticate, output, maxInFlight, drainMs, asks } = options;
  const wire = new Lines(output);
  const duplex = new Duplex({ face: 'stdio', services, endpoint, authenticate, wire, modern: true, maxInFlight, asks });
  const lost = (): void => duplex.lose();
  output.on('error', lost);
  output.on('close', lost);
  const recheck = setInterval(() => duplex.recheck(), RECHECK_MS).unref();
  let stopProbe = (): void => undefined;
  try {
    await readLines(options, (message) => duplex.take(message));
    stopProbe = probe(options);
    await duplex.drain(drainMs);
  } finally {
    stopProbe();
    clearInterval(recheck);
    duplex.lose();
    output.off('error', lost);
    output.off('close', lost);
    output.on('error', () => undefined);
  }
}
