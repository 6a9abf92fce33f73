import { acknowledgedText, eraOf, listenResultText, noticeText } from '../protocol/index.ts';
import { closeRecord } from './answer.ts';
import type { Frame, Incoming, Services } from './frame.ts';
import { kindOf } from './methods.ts';
import { openFrame } from './open-frame.ts';
import type { OpenWatch } from './open-watch.ts';
import { runPipeline } from './pipeline.ts';
import { noSuchMethod } from './refusals.ts';
import { render, type Answer } from './render.ts';
import { identityOf } from './steps/describe-server.ts';
import { noteOutcome } from './steps/settle.ts';

/** An open `subscriptions/listen` (S26 "Subscriptions"). */
export interface OpenListen {
  /** Ends it from our side: the JSON-RPC response of a graceful closure, as text. Empty if it has ended already. */
  end(): string;
  /** The client is gone, or canceled. */
  drop(): void;
}

class Listen implements OpenListen {
  readonly #frame: Frame;
  readonly #services: Services;
  readonly #watch: OpenWatch;
  readonly #began: number;
  #bytes = 0;
  #open = true;

  constructor(frame: Frame, services: Services, watch: OpenWatch, began: number) {
    this.#frame = frame;
    this.#services = services;
    this.#watch = watch;
    this.#began = began;
  }

  /** Sends the acknowledgement, then what is heard. */
  start(acknowledgement: string, send: (text: string) => void): void {
    const { idText } = this.#frame.request;
    const say = (text: string): void => {
      if (!this.#open) return;
      this.#bytes += text.length;
      send(text);
    };
    say(acknowledgement);
    this.#watch.release((method, params) => say(noticeText(idText, method, params)));
  }

  end(): string {
    if (!this.#open) return '';
    const text = listenResultText(this.#frame.request.idText, identityOf(this.#frame, this.#services));
    this.#bytes += text.length;
    this.#close();
    return text;
  }

  drop(): void {
    if (this.#open) this.#close();
  }

  #close(): void {
    this.#open = false;
    this.#watch.close();
    closeRecord(this.#frame, this.#services, this.#bytes, this.#began);
  }
}

/**
 * Opens a `subscriptions/listen`. `send` gets the acknowledgement first, then the notifications, as JSON-RPC texts; it may be called before
 * the promise resolves, and never after `end` or `drop`. An `Answer` is a refusal. Never rejects. A client whose signal aborts before the
 * acknowledgement gets nothing; after it, the face calls `drop`.
 */
export async function openListen(incoming: Incoming, services: Services, send: (text: string) => void): Promise<Answer | OpenListen> {
  const began = performance.now();
  const { request, client, endpoint, signal } = incoming;
  const era = eraOf(client.revision);
  const isListen = kindOf(request.method, era, endpoint) === 'listen';
  const frame = openFrame(incoming, era, isListen ? 'listen' : undefined, services.clock.now());
  const outcome = isListen ? await runPipeline(frame, services, began) : noSuchMethod(frame);
  const { watch } = frame;
  if (watch?.watch === undefined) {
    noteOutcome(frame, outcome);
    const answer = render(frame, services, outcome);
    closeRecord(frame, services, answer.text.length, began);
    return answer;
  }
  const listen = new Listen(frame, services, watch, began);
  const honoured = await watch.watch.honoured;
  if (signal.aborted) listen.drop();
  else listen.start(acknowledgedText(request.idText, honoured), send);
  return listen;
}
