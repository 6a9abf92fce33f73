import { request, type IncomingMessage } from 'node:http';
import { Transform, type Duplex, type Readable, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { CliError, EXIT } from './failure.ts';

const CONNECT_MS = 15_000;
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface RelayOptions {
  readonly socketPath: string;
  /** `/mcp` or `/mcp/<server>`. */
  readonly path: string;
  readonly key: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** After the end of stdin, answers that are still due may take this long. */
  readonly drainMs: number;
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
  return new CliError('refused', `The gateway refused the connection: ${message}`, EXIT.unreachable);
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
  /** True once the end of stdin, the host or a signal asked for it: the end of the stream is then no failure. */
  wanted = false;
  readonly abort = new AbortController();
  readonly #options: RelayOptions;
  #drain: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    options.stdin.once('end', this.#onInputEnd);
    options.stdin.once('error', this.#onHostGone);
    options.stdout.once('error', this.#onHostGone);
    options.signal.addEventListener('abort', this.#onHostGone, { once: true });
    if (options.signal.aborted) this.#onHostGone();
  }

  dispose(): void {
    const { stdin, signal } = this.#options;
    clearTimeout(this.#drain);
    signal.removeEventListener('abort', this.#onHostGone);
    stdin.off('end', this.#onInputEnd);
    stdin.pause();
  }

  readonly #onInputEnd = (): void => {
    this.wanted = true;
    this.#drain = setTimeout(() => this.abort.abort(), this.#options.drainMs);
  };

  readonly #onHostGone = (): void => {
    this.wanted = true;
    this.abort.abort();
  };
}

const LF = 10;

/** The owner writes empty lines to see whether we are still there; a host expects messages and nothing else. */
function withoutEmptyLines(): Transform {
  let atStart = true;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const parts: Buffer[] = [];
      let from = 0;
      for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, end + 1)) {
        if (end > from || !atStart) parts.push(chunk.subarray(from, end + 1));
        from = end + 1;
        atStart = true;
      }
      if (from < chunk.length) {
        parts.push(chunk.subarray(from));
        atStart = false;
      }
      done(null, parts.length === 1 ? parts[0] : Buffer.concat(parts));
    },
  });
}

/** Copies both ways until the owner's side ends or `abort` fires. */
async function copy(socket: Duplex, { stdin, stdout }: RelayOptions, abort: AbortSignal): Promise<void> {
  // `finished` reports errors; those after it mean nothing any more.
  socket.on('error', () => {});
  const messages = withoutEmptyLines();
  const stop = (): void => {
    socket.destroy();
    messages.destroy();
  };
  abort.addEventListener('abort', stop, { once: true });
  if (abort.aborted) stop();
  stdin.pipe(socket);
  socket.pipe(messages).pipe(stdout, { end: false });
  // A reset says no more than an end does.
  await finished(socket, { writable: false }).catch(() => undefined);
  stdin.unpipe(socket);
  messages.end();
  await finished(messages).catch(() => undefined);
  socket.destroy();
}

/**
 * Connects stdin and stdout with the owner's stream until one side ends. Resolves at the end of stdin, once the answers still due came or
 * their time is up, and when the host closed our stdout. Rejects with CliError `gateway_gone` if the owner ends first.
 */
export async function relay(options: RelayOptions): Promise<void> {
  const ending = new Ending(options);
  try {
    const socket = await connect(options, ending.abort.signal);
    await copy(socket, options, ending.abort.signal);
  } catch (error) {
    if (!ending.wanted) throw error;
  } finally {
    ending.dispose();
  }
  if (!ending.wanted)
    throw new CliError('gateway_gone', 'The gateway went away. Start this server again: it connects anew.', EXIT.unreachable);
}
