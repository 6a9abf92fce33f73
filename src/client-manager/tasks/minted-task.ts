import { inputResponsesOf, type Ask, type AskAnswer, type CallEvent, type JsonText } from '../../protocol/index.ts';
import type { Clock } from '../../shared/index.ts';
import { OpenAsks } from '../leases/open-asks.ts';
import type { TaskFacts, TaskState } from './stored-task.ts';

export interface MintedTaskOptions {
  readonly facts: TaskFacts;
  readonly clock: Clock;
  /** Questions that are open at once, in bytes. */
  readonly askBytes: number;
  /** It stands elsewhere than before. */
  readonly onChange: () => void;
}

const MAX_MESSAGE = 500;

/** A call that runs in the background: what it asks, and what it says of its progress. */
export class MintedTask {
  readonly facts: TaskFacts;
  readonly #options: MintedTaskOptions;
  readonly #asks: OpenAsks;
  readonly #life = new AbortController();
  #message: string | undefined;
  #updatedAt: number;
  #canceled = false;
  #end: TaskState | undefined;
  #via = '';
  #attempts = 0;

  constructor(options: MintedTaskOptions) {
    this.#options = options;
    this.facts = options.facts;
    this.#asks = new OpenAsks(options.askBytes);
    this.#updatedAt = options.facts.createdAt;
  }

  /** Aborted when the call is to end. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** True if its client wanted it to end. */
  get canceled(): boolean {
    return this.#canceled;
  }

  /** How its server was called last: `http-legacy`, say. */
  get via(): string {
    return this.#via;
  }

  get attempts(): number {
    return this.#attempts;
  }

  get state(): TaskState {
    if (this.#end !== undefined) return this.#end;
    const common = { message: this.#message, updatedAt: this.#updatedAt };
    if (this.#asks.size === 0) return { status: 'working', ...common, details: {} };
    const entries = Array.from(this.#asks.entries(), ([key, text]) => `${JSON.stringify(key)}:${text}`);
    return { status: 'input_required', ...common, details: { inputRequests: `{${entries.join(',')}}` } };
  }

  /** Asks the client through the task. The key is `wanted` unless it was used before. Never rejects. */
  readonly ask = (ask: Ask, signal: AbortSignal, wanted?: string): Promise<AskAnswer> => {
    const answer = this.#asks.add(wanted ?? 0, ask, AbortSignal.any([signal, this.signal]), () => this.#changed());
    this.#changed();
    return answer;
  };

  /** What its call tells on the way: progress becomes the status message (the extension has no progress notifications). */
  readonly tell = (event: CallEvent): void => {
    if (event.kind === 'attempt') {
      this.#via = event.attempt.via;
      this.#attempts++;
    } else if (event.kind === 'notification' && event.method === 'notifications/progress') this.say(event.params?.value.message);
  };

  /** A new status message, if it is one. */
  readonly say = (message: unknown): void => {
    if (typeof message !== 'string' || message === '') return;
    const shown = message.slice(0, MAX_MESSAGE);
    if (shown === this.#message) return;
    this.#message = shown;
    this.#changed();
  };

  /** Answers to open questions; those to any others are left (tasks extension, "Task Update Requests"). */
  update(answers: JsonText): void {
    if (this.#asks.give(inputResponsesOf(answers)) > 0) this.#changed();
  }

  /** Its client does not want it any more. */
  cancel(): void {
    this.#canceled = true;
    this.abort();
  }

  /** Ends its call. */
  abort(): void {
    this.#life.abort(new Error('the task ends'));
    this.#asks.refuse();
  }

  end(state: TaskState): void {
    this.#end = state;
    this.#asks.refuse();
  }

  #changed(): void {
    if (this.#end !== undefined) return;
    this.#updatedAt = this.#options.clock.now();
    this.#options.onChange();
  }
}
