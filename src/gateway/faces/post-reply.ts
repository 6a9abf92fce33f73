import type { Outlet } from '../sessions/asks.ts';
import type { SessionStream } from '../sessions/streams.ts';
import type { Session } from '../sessions.ts';
import type { Answer } from '../render.ts';
import { sendAnswer, sendAnswerThisTurn, type Exchange } from './exchange.ts';
import type { Responses } from './modern-port.ts';
import type { Awaited } from './patience.ts';
import { sendNothing, SseStream } from './sse-stream.ts';

/** One answer of a POST; `idText` is the JSON text of its request's id. A canceled request has none (S25 cancellation). */
export interface Reply {
  readonly idText: string;
  readonly answer: Answer | undefined;
}

const isDue = (reply: Reply): reply is Reply & { readonly answer: Answer } => reply.answer !== undefined;

/**
 * The response to one POST of a legacy session: JSON, unless something must be sent before the answer or it takes long. Then it is a stream of
 * the session, which goes on without this connection (PROTOCOL A4).
 */
export class PostReply implements Outlet, Awaited {
  since = 0;
  earlier: Awaited | undefined = undefined;
  later: Awaited | undefined = undefined;
  readonly #exchange: Exchange;
  readonly #session: Session;
  readonly #responses: Responses;
  #stream: SessionStream | undefined;
  #over = false;

  constructor(exchange: Exchange, session: Session, responses: Responses) {
    this.#exchange = exchange;
    this.#session = session;
    this.#responses = responses;
    if (exchange.events) responses.patience.add(this);
  }

  send(text: string, droppable: boolean): boolean {
    if (this.#over) return false;
    return this.#begun()?.send(text, droppable) ?? false;
  }

  overdue(): void {
    this.#begun();
  }

  /** `batch` where the client sent an array: then it gets one, or an event for each. */
  finish(replies: readonly Reply[], batch: boolean): void {
    this.#responses.patience.delete(this);
    this.#over = true;
    const { response } = this.#exchange;
    const stream = this.#stream;
    const due = replies.filter(isDue);
    if (stream !== undefined) {
      for (const { idText, answer } of due) stream.respond(answer.text, idText);
      stream.finish();
    } else if (due[0] === undefined) {
      sendNothing(response);
    } else if (batch) {
      sendAnswer(response, { text: `[${due.map(({ answer }) => answer.text).join(',')}]`, status: 200 });
    } else sendAnswerThisTurn(response, due[0].answer);
  }

  /** The stream, from the first message on. Undefined where the client takes none, or left before it could know of it. */
  #begun(): SessionStream | undefined {
    if (this.#stream !== undefined || !this.#exchange.events) return this.#stream;
    this.#responses.patience.delete(this);
    const sink = SseStream.open(this.#exchange.response, this.#responses.live);
    if (sink !== undefined) this.#stream = this.#session.streams.open(sink);
    return this.#stream;
  }
}
