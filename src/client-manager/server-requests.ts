import { errorText, jsonText, resultText, RPC, rpcError, type AskAnswer, type Params, type RequestMessage } from '../protocol/index.ts';
import { messageOf } from '../shared/index.ts';
import type { ConnectionListener, Exchange } from './connection.ts';
import type { Emit } from './events.ts';
import type { Root } from './types.ts';

const NEEDS_A_CALL: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage']);
/** Requests of one server that may wait for their answer; more are refused. */
const MAX_OPEN = 100;
/** Methods of which an event says that they were refused. */
const MAX_TOLD = 20;

/** Our answer to a request of a legacy server outside a lease (PROTOCOL A2): `roots/list` is answered as configured, asks are refused. */
export function answerOutsideCalls({ method }: RequestMessage, roots: readonly Root[] = []): AskAnswer {
  if (method === 'roots/list') return { result: jsonText({ roots }) };
  const error = NEEDS_A_CALL.has(method)
    ? rpcError(RPC.invalidParams, `${method} was not offered by this client.`)
    : rpcError(RPC.methodNotFound, `Method not found: ${method.slice(0, 100)}`);
  return { error };
}

export interface ServerRequestsOptions {
  /** Sends a message to the server; what cannot be sent is dropped. */
  readonly say: (text: string) => void;
  readonly emit: Emit;
  readonly roots: readonly Root[];
}

/**
 * The requests of one server over one connection: `ping` is answered at once, everything else by the listener. A request that the
 * server cancels, or that is open when the connection ends, is aborted and not answered (S25 cancellation).
 */
export class ServerRequests {
  readonly #options: ServerRequestsOptions;
  readonly #open = new Map<string | number, AbortController>();
  readonly #told = new Set<string>();
  listener: ConnectionListener | undefined;
  #over = false;

  constructor(options: ServerRequestsOptions) {
    this.#options = options;
  }

  /** Requests that wait for their answer. */
  get size(): number {
    return this.#open.size;
  }

  /** A request as it came, with the exchange on whose stream it came. Never throws. */
  take(message: RequestMessage, exchange: Exchange | undefined): void {
    const { id, idText, method } = message;
    if (this.#over) return;
    if (method === 'ping') return this.#options.say(resultText(idText, '{}'));
    // A stream that is resumed may deliver a request twice; the second answer would be one too many.
    if (this.#open.has(id)) return;
    if (this.#open.size >= MAX_OPEN) {
      this.#options.say(errorText(idText, rpcError(RPC.internalError, `More than ${MAX_OPEN} requests are open.`)));
      return;
    }
    const controller = new AbortController();
    this.#open.set(id, controller);
    void this.#answer(message, exchange, controller);
  }

  /** A request of a modern server, which may send none (PROTOCOL C16). */
  ignore({ method }: RequestMessage): void {
    this.#tell(method, 'ignored');
  }

  /** Params of a `notifications/cancelled` of the server. */
  cancel(params: Params | undefined): void {
    const id = params?.value.requestId;
    if (typeof id !== 'string' && typeof id !== 'number') return;
    this.#open.get(id)?.abort(new Error('the server canceled its request'));
    this.#open.delete(id);
  }

  /** The connection is over: nothing is answered any more. */
  end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const controller of this.#open.values()) controller.abort(new Error(reason));
    this.#open.clear();
  }

  async #answer(message: RequestMessage, exchange: Exchange | undefined, controller: AbortController): Promise<void> {
    const { id, idText, method } = message;
    const answer = await this.#answerOf(message, exchange, controller.signal);
    if (this.#open.get(id) === controller) this.#open.delete(id);
    if (controller.signal.aborted) return;
    this.#options.say('result' in answer ? resultText(idText, answer.result.text) : errorText(idText, answer.error));
    if ('error' in answer) this.#tell(method, 'refused');
  }

  async #answerOf(message: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> {
    try {
      return (await this.listener?.onRequest(message, exchange, signal)) ?? answerOutsideCalls(message, this.#options.roots);
    } catch (error) {
      return { error: rpcError(RPC.internalError, `The client failed: ${messageOf(error).slice(0, 100)}`) };
    }
  }

  #tell(method: string, answer: 'ignored' | 'refused'): void {
    if (this.#told.has(method) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(method);
    this.#options.emit({ kind: 'server_request', method: method.slice(0, 100), answer });
  }
}
