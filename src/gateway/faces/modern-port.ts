import type { ServerResponse } from 'node:http';
import type { RequestMessage } from '../../protocol/index.ts';
import type { ClientPort } from '../client-port.ts';
import type { Answer } from '../render.ts';
import { sendAnswerThisTurn } from './exchange.ts';
import type { LiveStreams } from './live-streams.ts';
import type { Awaited, Patience } from './patience.ts';
import { pour } from './pour.ts';
import { SseStream } from './sse-stream.ts';

/** What responses to modern requests share. */
export interface Responses {
  readonly live: LiveStreams;
  /** Answers that take longer than 5 s become streams, so that the connection is seen to live (PROTOCOL C1). */
  readonly patience: Patience;
}

/**
 * The response to one modern request: JSON, or from the first notification on a stream of events. Until then nothing is sent, so that the
 * answer can still have its own status (PROTOCOL C1).
 */
export class ModernPort implements ClientPort, Awaited {
  /** A modern client is asked by results. */
  readonly ask = undefined;
  readonly streams = true;
  since = 0;
  earlier: Awaited | undefined = undefined;
  later: Awaited | undefined = undefined;
  readonly #response: ServerResponse;
  readonly #responses: Responses;
  #events: SseStream | undefined;
  /** False where the client takes JSON only, and once the answer is out. */
  #mayStream: boolean;

  constructor(response: ServerResponse, events: boolean, responses: Responses) {
    this.#response = response;
    this.#responses = responses;
    this.#mayStream = events;
    if (events) responses.patience.add(this);
  }

  notify(text: string): void {
    if (!this.#mayStream) return;
    this.#begin();
    if (this.#events?.behind === false) this.#events.event(text);
  }

  overdue(): void {
    if (this.#mayStream) this.#begin();
  }

  finish(request: RequestMessage, answer: Answer): void {
    this.#responses.patience.delete(this);
    this.#mayStream = false;
    const events = this.#events;
    if (answer.stream !== undefined) pour(answer.stream, request.idText, this.#response, events);
    else if (events === undefined) sendAnswerThisTurn(this.#response, answer);
    else {
      events.event(answer.text);
      events.end();
    }
  }

  #begin(): void {
    if (this.#events !== undefined) return;
    this.#responses.patience.delete(this);
    this.#events = SseStream.open(this.#response, this.#responses.live);
    // At the cap of streams the client gets its answer all the same.
    if (this.#events === undefined) this.#mayStream = false;
  }
}
