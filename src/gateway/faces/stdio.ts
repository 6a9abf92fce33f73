import type { Readable, Writable } from 'node:stream';
import {
  arrayItems,
  checkModern,
  decodeMessage,
  errorText,
  LEGACY_REVISIONS,
  methodNotFound,
  RPC,
  rpcError,
  wantsModern,
  type BatchMessage,
  type ClientFacts,
  type NotificationMessage,
  type RequestMessage,
} from '../../protocol/index.ts';
import type { Authentication } from '../../security/index.ts';
import { answerRequest, LEGACY_METHODS, MODERN_METHODS } from '../answer.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import { cancelNamed, inFlightKey, initializeClient, isRpcError } from '../legacy-messages.ts';
import { LineReader, type Line } from './line-reader.ts';

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
  /** Calls in flight on one connection. */
  readonly maxInFlight: number;
  /** How long answers still due may take once the input ended. */
  readonly drainMs: number;
}

const MAX_BATCH = 50;

/** One client on a byte stream: newline-delimited JSON-RPC, both eras (S26 and S25 stdio). */
class Connection {
  readonly #options: StdioFaceOptions;
  readonly #inFlight = new Map<string, AbortController>();
  readonly #lines: LineReader;
  /** Set by `initialize`: from then on requests without modern `_meta` are of this legacy session. */
  #session: ClientFacts | undefined;

  constructor(options: StdioFaceOptions) {
    this.#options = options;
    this.#lines = new LineReader(options.frameBytes);
  }

  async run(): Promise<void> {
    const { output, drainMs } = this.#options;
    const lost = (): void => this.#abortAll();
    output.on('error', lost);
    output.on('close', lost);
    try {
      await this.#read();
      await this.#drained(drainMs);
    } finally {
      this.#abortAll();
      output.off('error', lost);
      output.off('close', lost);
      output.on('error', () => undefined);
    }
  }

  /** Reads until the input ends, breaks, or the gateway closes. A client that does not read its answers is not read from either. */
  #read(): Promise<void> {
    const { input, output, closing } = this.#options;
    const resume = (): void => void input.resume();
    return new Promise((resolve) => {
      const data = (chunk: Buffer): void => {
        for (const line of this.#lines.feed(chunk)) this.#take(line);
        if (!output.writableNeedDrain || input.isPaused()) return;
        input.pause();
        output.once('drain', resume);
      };
      const done = (): void => {
        input.off('data', data).pause();
        output.off('drain', resume);
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

  #take(line: Line): void {
    if (!line.ok) {
      const message =
        line.why === 'too_long'
          ? `Parse error: a message is larger than ${this.#options.frameBytes} bytes.`
          : 'Parse error: a message is not valid UTF-8.';
      return this.#write(errorText('null', rpcError(RPC.parseError, message)));
    }
    const message = decodeMessage(line.text);
    if (message.kind === 'request') void this.#answer(message).then((text) => this.#write(text));
    else if (message.kind === 'notification') this.#notice(message);
    else if (message.kind === 'batch') void this.#batch(message);
    else if (message.kind === 'invalid') this.#write(errorText(message.idText, message.error));
  }

  #notice(message: NotificationMessage): void {
    if (message.method === 'notifications/cancelled') cancelNamed(message.params, this.#inFlight);
  }

  /** Never rejects: what goes wrong outside the pipeline ends this request only. */
  async #answer(request: RequestMessage): Promise<string> {
    try {
      return await this.#request(request);
    } catch {
      return errorText(request.idText, rpcError(RPC.internalError, 'Internal error.'));
    }
  }

  async #request(request: RequestMessage): Promise<string> {
    const who = this.#options.authenticate();
    if (!who.ok) return errorText(request.idText, rpcError(RPC.unauthenticated, who.message, { code: who.code }));
    const client = this.#clientOf(request);
    if (typeof client === 'string') return client;
    const key = inFlightKey(request.id);
    if (this.#inFlight.has(key))
      return errorText(request.idText, rpcError(RPC.invalidRequest, 'A request with this id is still in flight.'));
    if (this.#inFlight.size >= this.#options.maxInFlight) {
      return errorText(
        request.idText,
        rpcError(RPC.busy, `This connection is at its limit of ${this.#options.maxInFlight} calls in flight.`),
      );
    }
    const controller = new AbortController();
    this.#inFlight.set(key, controller);
    const { services, endpoint } = this.#options;
    const bytesIn = request.params?.text.length ?? 0;
    const { principal } = who;
    const incoming = { face: 'stdio', endpoint, principal, client, request, headers: undefined, bytesIn, signal: controller.signal };
    try {
      const answer = await answerRequest(incoming, services);
      // A canceled request gets no answer (S26 cancellation, S25 cancellation).
      return controller.signal.aborted ? '' : answer.text;
    } finally {
      this.#inFlight.delete(key);
    }
  }

  /** The client that a request is from, or the text of the error to answer. */
  #clientOf(request: RequestMessage): ClientFacts | string {
    if (wantsModern(request, undefined)) {
      const check = checkModern(request, MODERN_METHODS, undefined);
      return check.ok ? check.client : errorText(request.idText, check.error);
    }
    if (!LEGACY_METHODS.has(request.method)) return errorText(request.idText, methodNotFound(request.method));
    if (request.method === 'initialize') {
      if (this.#session !== undefined)
        return errorText(request.idText, rpcError(RPC.invalidRequest, 'This connection is initialized already.'));
      const client = initializeClient(request, LEGACY_REVISIONS);
      if (isRpcError(client)) return errorText(request.idText, client);
      this.#session = client;
      return client;
    }
    if (this.#session !== undefined) return this.#session;
    if (request.method === 'ping') return { revision: '2025-11-25', capabilities: {}, info: undefined };
    return errorText(request.idText, rpcError(RPC.invalidRequest, 'Send initialize first, or the _meta of a modern request.'));
  }

  async #batch(batch: BatchMessage): Promise<void> {
    if (this.#session?.revision !== '2025-03-26' || batch.size === 0 || batch.size > MAX_BATCH) {
      return this.#write(
        errorText('null', rpcError(RPC.invalidRequest, `A batch of 1 to ${MAX_BATCH} messages exists only in revision 2025-03-26.`)),
      );
    }
    const texts = await Promise.all(arrayItems(batch.text).map((text) => this.#member(text)));
    const answers = texts.filter((text) => text !== '');
    if (answers.length > 0) this.#write(`[${answers.join(',')}]`);
  }

  async #member(text: string): Promise<string> {
    const message = decodeMessage(text);
    if (message.kind === 'request' && message.method !== 'initialize') return this.#answer(message);
    if (message.kind === 'notification') this.#notice(message);
    if (message.kind === 'notification' || message.kind === 'response') return '';
    const idText = message.kind === 'batch' ? 'null' : message.idText;
    return errorText(
      idText,
      message.kind === 'invalid' ? message.error : rpcError(RPC.invalidRequest, 'This message cannot be in a batch.'),
    );
  }

  #write(text: string): void {
    const { output } = this.#options;
    if (text !== '' && output.writable) output.write(`${text}\n`);
  }

  /** Resolves when no call is in flight any more, or after `ms`. */
  #drained(ms: number): Promise<void> {
    const until = this.#options.services.clock.now() + ms;
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#inFlight.size === 0 || this.#options.services.clock.now() >= until) resolve();
        else setTimeout(check, 10);
      };
      check();
    });
  }

  #abortAll(): void {
    for (const controller of this.#inFlight.values()) controller.abort();
  }
}

/** Serves one client until its input ends; answers still due are written first. */
export function serveStdio(options: StdioFaceOptions): Promise<void> {
  return new Connection(options).run();
}
