import { request as httpRequest, type IncomingMessage } from 'node:http';
import { APPROVER_HEADER, errorBody, requestPath, type AdminRequest, type AdminRoute, type ReplyOf } from '../contract/index.ts';
import { CliError, EXIT, exitFor } from './failure.ts';

const DEADLINE_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface AskOptions {
  readonly deadlineMs?: number;
  /** An approver key, for what only an approver may do. */
  readonly approver?: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new CliError('answer_too_large', `The answer is larger than ${MAX_ANSWER_BYTES} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function unreachable(error: unknown, deadlineMs: number): CliError {
  if (error instanceof CliError) return error;
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || name === 'AbortError')
    return new CliError(
      'deadline_exceeded',
      `The gateway did not answer within ${deadlineMs / 1000} s. Is it busy or stopped?`,
      EXIT.unreachable,
    );
  const hint = code === 'ECONNREFUSED' || code === 'ENOENT' ? 'It may just have ended: try again.' : message;
  return new CliError('unreachable', `The gateway does not answer on its local socket (${code ?? 'error'}). ${hint}`, EXIT.unreachable);
}

function refusal(answer: Answer): CliError {
  const parsed = errorBody.safeParse(answer.body);
  if (!parsed.success) return new CliError('unexpected_answer', `The gateway answered with status ${answer.status} and no explanation.`);
  const { code, message, field } = parsed.data.error;
  return new CliError(code, field === undefined ? message : `${field}: ${message}`, exitFor(code));
}

/** The management API of a gateway, over its 0600 socket. Every request has a deadline; failures are CliErrors. */
export class ManagementClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Asks one route of the contract and checks its answer against it. */
  async ask<R extends AdminRoute>(route: R, request: AdminRequest<R> = {}, options: AskOptions = {}): Promise<ReplyOf<R>> {
    const path = requestPath(
      route,
      request.params as Readonly<Record<string, string>> | undefined,
      request.query as Readonly<Record<string, string | undefined>> | undefined,
    );
    const answer = await this.#send(route.method, path, request.body, options);
    if (answer.status >= 400) throw refusal(answer);
    const parsed = route.reply.safeParse(answer.body);
    if (parsed.success) return parsed.data as ReplyOf<R>;
    const message = 'The gateway answers in another form than this command knows. Are both of the same version? Restart the gateway.';
    throw new CliError('unexpected_answer', message);
  }

  async #send(method: string, path: string, body: unknown, options: AskOptions): Promise<Answer> {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string | number> = { host: 'localhost', accept: 'application/json' };
    if (payload !== undefined) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) });
    if (options.approver !== undefined) headers[APPROVER_HEADER] = options.approver;
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const signal = AbortSignal.timeout(deadlineMs);
        const sent = httpRequest({ socketPath: this.#socketPath, agent: false, method, path, headers, signal }, resolve);
        sent.on('error', reject);
        sent.end(payload);
      });
      return { status: response.statusCode ?? 0, body: await readBody(response) };
    } catch (error) {
      throw unreachable(error, deadlineMs);
    }
  }
}
