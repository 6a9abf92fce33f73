import { request, type IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { CliError, EXIT } from './failure.ts';
import type { Ends } from './host-link.ts';

const CONNECT_MS = 15_000;
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface RelayOptions {
  readonly socketPath: string;
  /** `/mcp` or `/mcp/<server>`. */
  readonly path: string;
  readonly key: string;
  /** The host's streams, asked for once the gateway has taken the connection. */
  readonly attach: () => Ends;
  /** After the end of the input, answers that are still due may take this long. */
  readonly drainMs: number;
  /** Aborts when the host is gone, or the end was asked for. */
  readonly signal: AbortSignal;
}

/** Both shapes of a refusal, the management API's and JSON-RPC's, have their message at the same place. */
function refusalMessage(body: unknown): string | undefined {
  const { error } = (body ?? {}) as { readonly error?: { readonly message?: unknown } };
  return typeof error?.message === 'string' ? error.message : undefined;
}

async function refusal(response: IncomingMessage): Promise<CliError> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_REFUSAL_BYTES) break;
  }
  let message = `status ${response.statusCode ?? 0}`;
  try {
    message = refusalMessage(JSON.parse(text)) ?? message;
  } catch {
    // Not JSON: the status must do.
  }
  // One that is full, or about to stop, may take it a moment later.
  const code = response.statusCode === 503 ? 'refused_for_now' : 'refused';
  return new CliError(code, `The gateway refused the connection: ${message}`, EXIT.unreachable);
}

/** An open stream to the owner's local socket; rejects with a CliError if it refuses or does not answer. */
function connect(options: RelayOptions, abort: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const upgrade = request({
      socketPath: options.socketPath,
      path: options.path,
      agent: false,
      signal: AbortSignal.any([abort, AbortSignal.timeout(CONNECT_MS)]),
      headers: { host: 'localhost', connection: 'Upgrade', upgrade: 'mcp-stdio', authorization: `Bearer ${options.key}` },
    });
    upgrade.on('upgrade', (_response, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    upgrade.on('response', (response) => void refusal(response).then(reject, reject));
    upgrade.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        new CliError('unreachable', `The gateway does not answer on its local socket (${error.code ?? error.message}).`, EXIT.unreachable),
      );
    });
    upgrade.end();
  });
}

/** What ends a relay from our side. */
class Ending {
  /** True once the end of the input, or the signal, asked for it: the end of the stream is then no failure. */
  wanted = false;
  readonly abort = new AbortController();
  readonly #options: RelayOptions;
  #input: Readable | undefined;
  #drain: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', this.#onSignal, { once: true });
    if (options.signal.aborted) this.#onSignal();
  }

  watch(input: Readable): void {
    this.#input = input;
    input.once('end', this.#onInputEnd);
  }

  dispose(): void {
    clearTimeout(this.#drain);
    this.#options.signal.removeEventListener('abort', this.#onSignal);
    this.#input?.off('end', this.#onInputEnd);
  }

  readonly #onInputEnd = (): void => {
    this.wanted = true;
    this.#drain = setTimeout(() => this.abort.abort(), this.#options.drainMs);
  };

  readonly #onSignal = (): void => {
    this.wanted = true;
    this.abort.abort();
  };
}

/** Copies both ways until the owner's side ends or `abort` fires. */
async function copy(socket: Duplex, { input, output }: Ends, abort: AbortSignal): Promise<void> {
  // `finished` reports errors; those after it mean nothing any more.
  socket.on('error', () => {});
  const stop = (): void => {
    socket.destroy();
    output.destroy();
  };
  abort.addEventListener('abort', stop, { once: true });
  if (abort.aborted) stop();
  input.pipe(socket);
  socket.pipe(output, { end: false });
  // A reset says no more than an end does.
  await finished(socket, { writable: false }).catch(() => undefined);
  input.unpipe(socket);
  output.end();
  await finished(output).catch(() => undefined);
  socket.destroy();
}

/**
 * Connects the host with the owner's stream until one side ends. Resolves at the end of the input, once the answers still due came or their
 * time is up, and when the signal aborts. Rejects with CliError `gateway_gone` if the owner ends first; `unreachable` and `refused_for_now`
 * may pass.
 */
export async function relay(options: RelayOptions): Promise<void> {
  const ending = new Ending(options);
  try {
    const socket = await connect(options, ending.abort.signal);
    const ends = options.attach();
    ending.watch(ends.input);
    await copy(socket, ends, ending.abort.signal);
  } catch (error) {
    if (!ending.wanted) throw error;
  } finally {
    ending.dispose();
  }
  if (!ending.wanted)
    throw new CliError('gateway_gone', 'The gateway went away. Start this server again: it connects anew.', EXIT.unreachable);
}
