import { Worker } from 'node:worker_threads';
import { withDeadline } from '../../shared/index.ts';
import { closedError, storageError } from '../errors.ts';
import type { EngineCommand, EngineEvent, EngineStart } from './messages.ts';
import { EngineStream } from './stream.ts';

/** The running database thread. */
export interface Engine {
  readonly stream: EngineStream;
  /** Why the thread is gone, once it is. */
  readonly failure: Error | undefined;
  onFailure(listener: (error: Error) => void): void;
  /** Shuts the database down within `ms`, else the thread is ended as it is. Idempotent. */
  close(ms: number): Promise<void>;
}

interface Running {
  readonly worker: Worker;
  readonly stream: EngineStream;
  readonly listeners: ((error: Error) => void)[];
  failure: Error | undefined;
  closing: Promise<void> | undefined;
}

// The name follows the file's own ending: .ts when run from the sources, .js when compiled.
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Starts the thread and opens (or makes) the database. Rejects `storage_failed` with the engine's own words, or with the signal's reason. */
export async function startEngine(start: EngineStart, signal?: AbortSignal): Promise<Engine> {
  signal?.throwIfAborted();
  const worker = new Worker(workerFile, { workerData: start, execArgv: [], name: 'database' });
  const stream = new EngineStream((bytes) => worker.postMessage(bytes, [bytes.buffer]));
  // Destroyed with an error when the thread dies, perhaps before a client listens.
  stream.on('error', () => undefined);
  const running: Running = { worker, stream, listeners: [], failure: undefined, closing: undefined };
  try {
    await opened(running, signal);
    return toEngine(running);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

function opened(running: Running, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    const done = (): void => signal?.removeEventListener('abort', abort);
    watch(running, {
      ready: () => {
        done();
        resolve();
      },
      failed: (error) => {
        done();
        reject(error);
      },
    });
  });
}

interface OpeningOutcome {
  ready(): void;
  failed(error: Error): void;
}

function watch(running: Running, outcome: OpeningOutcome): void {
  const fail = (error: Error): void => {
    if (running.failure) return;
    running.failure = error;
    outcome.failed(error);
    if (running.closing) return;
    running.stream.destroy(error);
    for (const listener of running.listeners) listener(error);
  };
  running.worker.on('message', (message: Uint8Array | EngineEvent) => {
    if (message instanceof Uint8Array) running.stream.receive(message);
    else if (message.event === 'ready') outcome.ready();
    else if (message.event === 'failed') fail(cannotOpen(message.message, message.output));
  });
  running.worker.on('error', (error) => fail(stopped(error)));
  running.worker.on('exit', (code) => fail(stopped(undefined, code)));
}

function toEngine(running: Running): Engine {
  return {
    stream: running.stream,
    get failure() {
      return running.failure;
    },
    onFailure: (listener) => running.listeners.push(listener),
    close: (ms) => (running.closing ??= shutDown(running, ms)),
  };
}

async function shutDown(running: Running, ms: number): Promise<void> {
  const { worker, stream } = running;
  if (!running.failure) {
    const closed = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const command: EngineCommand = { command: 'close' };
    worker.postMessage(command);
    // A thread in the middle of a statement does not answer; ending it is what a crash does, and recovery handles that.
    await withDeadline(closed, ms, 'Closing the database').catch(() => undefined);
  }
  await worker.terminate();
  stream.destroy(closedError());
}

function cannotOpen(message: string, output: readonly string[]): Error {
  return storageError(
    'storage_failed',
    'The embedded database could not be opened. See the log for its own words; if the folder is damaged, restore it from a backup.',
    // The engine's own words: without them nobody can tell a damaged folder from a machine without memory.
    { detail: { message, output }, cause: new Error([message, ...output.slice(-5)].join('\n')) },
  );
}

function stopped(cause: unknown, exitCode?: number): Error {
  return storageError(
    'storage_failed',
    'The embedded database stopped unexpectedly. Restart StockPulse MCP: what was acknowledged is kept.',
    {
      cause,
      detail: { exitCode },
    },
  );
}
