import {
  askOf,
  askProblem,
  inputRequiredResult,
  inputResponsesOf,
  isForeignNotification,
  legacyOffers,
  legacyParams,
  mayAsk,
  missingCapability,
  requiredFor,
  RPC,
  rpcError,
  type Ask,
  type AskAnswer,
  type AskClient,
  type Call,
  type CallContext,
  type JsonObject,
  type JsonText,
  type LegacyRevision,
  type Outcome,
  type Params,
  type RequestMessage,
} from '../../protocol/index.ts';
import type { BoundedCount } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Exchange, Reply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { hears } from '../log-level.ts';
import { CallClock, type Expiry } from './call-clock.ts';
import type { Lease, LeaseUser } from './lease.ts';
import { Leg } from './leg.ts';
import { MAX_OPEN, OpenAsks, refusal, TOO_MUCH } from './open-asks.ts';
import { formatParkState } from './park-state.ts';

export interface LeasedCallOptions {
  readonly lease: Lease;
  readonly call: Call;
  /** Asks the client while its request is open; without it the call is parked when its server asks. */
  readonly ask: AskClient | undefined;
  readonly owner: string;
  readonly id: string;
  readonly failures: Failures;
  readonly limits: Limits;
  /** Requests of clients that wait for an answer. */
  readonly legs: BoundedCount;
  /** How the request goes out. */
  readonly send: (exchange: Exchange) => Promise<Reply>;
  /** The client got a state: it may come back. */
  readonly onPark: (call: LeasedCall) => void;
  readonly onEnd: (call: LeasedCall, end: CallEnd) => void;
}

export interface CallEnd {
  readonly outcome: Outcome;
  /** The server has answered: it is done with the call. */
  readonly clean: boolean;
  /** The request never left. */
  readonly unsent: boolean;
}

/** An ask waits this long for others that come with it, so that the client gets them all at once (PROTOCOL B, D). */
const GATHER_MS = 25;
/** A call's deadlines are kept by its clock; this one only bounds the exchange. */
const LIFE_MS = 24 * 3_600_000;
const NO_ANSWERS: ReadonlyMap<string, JsonText> = new Map();

/**
 * One call of a client that may be asked, over one leased connection, all its round trips included. Without `ask` it parks: the client
 * gets `input_required` with a state, and its retries come back here (PROTOCOL D).
 */
export class LeasedCall implements LeaseUser {
  readonly id: string;
  readonly principal: string;
  readonly lease: Lease;
  readonly #options: LeasedCallOptions;
  /** What the connection offered in the client's name. */
  readonly #offers: JsonObject;
  readonly #token: number | undefined;
  readonly #asks: OpenAsks;
  readonly #clock: CallClock;
  /** Ends the request to the server. */
  readonly #life = new AbortController();
  /** Takes questions back from a client that is asked directly. */
  readonly #over = new AbortController();
  /** Requests of the client that wait for an answer; the last one hears what happens. */
  #legs: Leg[] = [];
  /** What was answered in which round. */
  readonly #answered = new Map<number, string>();
  #round = 0;
  #gathering: NodeJS.Timeout | undefined;
  #direct = 0;
  #budgetMs = 0;
  #sent = false;
  #ended = false;

  constructor(options: LeasedCallOptions) {
    const { call, lease, limits, id } = options;
    this.#options = options;
    this.id = id;
    this.lease = lease;
    this.principal = call.caller.principal;
    this.#offers = legacyOffers(call.offers.value, lease.connection.revision as LegacyRevision);
    // Whether a later round wants progress is not known yet, so a call that may park always has a token.
    this.#token = call.progress || options.ask === undefined ? lease.nextToken() : undefined;
    this.#asks = new OpenAsks(limits.frameBytes);
    this.#clock = new CallClock(limits.parkMs, (why) => this.#expire(why));
  }

  get ask(): AskClient | undefined {
    return this.#options.ask;
  }

  /** True once the client has a state. */
  get parked(): boolean {
    return this.#round > 0;
  }

  /** Sends the call. `budgetMs` is its deadline, in which time for questions does not count. Never rejects. */
  start(context: CallContext, budgetMs: number): Promise<Outcome> {
    const { call, lease } = this.#options;
    lease.user = this;
    const leg = this.#attach(call, context);
    this.#budgetMs = budgetMs;
    this.#clock.run(budgetMs);
    void this.#send(call);
    return leg.outcome;
  }

  /** A retry by the call's own principal, with the state of this round (PROTOCOL D). Never rejects. */
  retry(call: Call, context: CallContext, round: number, budgetMs: number): Promise<Outcome> {
    const { failures, legs } = this.#options;
    const answers = call.answers === undefined ? NO_ANSWERS : inputResponsesOf(call.answers);
    const digest = this.#asks.digest(answers);
    const before = this.#answered.get(round);
    if (round > this.#round || (before !== undefined && before !== digest)) return Promise.resolve(TAKEN);
    if (context.signal.aborted) return Promise.resolve(outcomeOfReply(failures.canceled('unknown')));
    if (!legs.enter()) return Promise.resolve(outcomeOfReply(failures.busy('too many requests wait for calls under way', 'unknown')));
    const leg = this.#attach(call, context);
    void this.lease.setLevel(call.logLevel, this.#life.signal);
    if (this.#asks.give(answers) > 0) this.#answered.set(round, digest);
    this.#budgetMs = budgetMs;
    if (this.#asks.size === 0) this.#clock.run(budgetMs);
    else {
      this.#clock.grant(budgetMs);
      this.#wait();
    }
    return leg.outcome;
  }

  /** True for a retry after which the call goes on: it answers all that was asked in the current round. */
  goesOn({ answers }: Call, round: number): boolean {
    return round === this.#round && answers !== undefined && this.#asks.covered(inputResponsesOf(answers));
  }

  /** Ends it with what is known: nothing. */
  stop(): void {
    this.#end(outcomeOfReply(this.#options.failures.outcomeUnknown('was disconnected because the gateway stops')), false, false);
    this.#life.abort();
  }

  onRequest(request: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> | undefined {
    const foreign = exchange !== undefined && exchange.signal !== this.#life.signal;
    const ask = foreign || this.#ended ? undefined : askOf(request);
    if (ask === undefined || (ask.method === 'roots/list' && this.#offers.roots === undefined)) return undefined;
    const problem = askProblem(ask);
    if (problem !== undefined) return Promise.resolve({ error: rpcError(RPC.invalidParams, problem) });
    if (!mayAsk(ask, this.#offers)) {
      this.#giveUp({ kind: 'error', error: missingCapability(requiredFor(ask)) });
      return Promise.resolve({ error: rpcError(RPC.invalidParams, `${ask.method} was not offered by this client.`) });
    }
    if (this.#options.ask !== undefined) return this.#askNow(this.#options.ask, ask, signal);
    const answer = this.#asks.add(request.id, ask, signal, () => this.#withdrawn());
    if (this.#asks.size > 0) this.#wait();
    return answer;
  }

  onNotification(method: string, params: Params | undefined): boolean {
    const leg = this.#legs.at(-1);
    if (method === 'notifications/progress') {
      if (this.#token !== undefined && params?.value.progressToken === this.#token && leg?.call.progress === true)
        tell(leg, method, params);
      return true;
    }
    if (method === 'notifications/message') {
      if (leg !== undefined && hears(leg.call, params?.value.level)) tell(leg, method, params);
      return true;
    }
    const ended = method === 'notifications/elicitation/complete';
    if (!ended && !isForeignNotification(method)) return false;
    if (leg !== undefined && (!ended || this.#options.ask !== undefined)) tell(leg, method, params);
    return true;
  }

  async #send(call: Call): Promise<void> {
    await this.lease.settle(this.#life.signal);
    if (this.#ended) return;
    this.#sent = true;
    const reply = await this.#options.send({
      method: call.method,
      params: legacyParams(call, this.#token),
      mirror: {},
      headerParams: [],
      expiresAt: performance.now() + LIFE_MS,
      signal: this.#life.signal,
      onNotification: (method, params) => this.lease.onNotification(method, params),
      progressToken: this.#token,
    });
    const failed = reply.kind === 'failed';
    this.#end(outcomeOfReply(reply), !failed, failed && reply.gone === true);
  }

  #attach(call: Call, context: CallContext): Leg {
    const { failures, legs, lease } = this.#options;
    const { via } = lease.connection;
    const leg = new Leg({ call, context, failures, via, onAbort: (gone) => this.#leave(gone), onEnd: () => legs.leave() });
    this.#legs.push(leg);
    return leg;
  }

  /** A client's request is gone before it had an answer. With the last of them the call is canceled. */
  #leave(leg: Leg): void {
    this.#legs = this.#legs.filter((other) => other !== leg);
    const canceled = outcomeOfReply(this.#options.failures.canceled(this.#executed));
    leg.settle(canceled);
    if (this.#legs.length === 0) this.#giveUp(canceled);
  }

  /** Questions are open: the call's deadline stands still, and an attached client will be told of them all in a moment. */
  #wait(): void {
    this.#clock.pause();
    clearTimeout(this.#gathering);
    if (this.#legs.length > 0) this.#gathering = setTimeout(() => this.#deliver(), this.#asks.full ? 0 : GATHER_MS);
  }

  /** The server took a question back. */
  #withdrawn(): void {
    if (!this.#ended && this.#asks.size === 0) this.#clock.resume();
  }

  #deliver(): void {
    if (this.#ended || this.#asks.size === 0) return;
    if (this.#asks.changed) this.#round++;
    this.#asks.changed = false;
    const { owner, id, onPark } = this.#options;
    const state = formatParkState({ owner, id, round: this.#round });
    const outcome: Outcome = { kind: 'input_required', result: inputRequiredResult(this.#asks.entries(), state) };
    onPark(this);
    const legs = this.#legs;
    this.#legs = [];
    for (const leg of legs) leg.settle(this.#refusedBy(leg) ?? outcome);
  }

  /** A retry may declare less than the request before it: then it is not asked, and a better one may follow (PROTOCOL D, trap 5). */
  #refusedBy({ call }: Leg): Outcome | undefined {
    const ask = this.#asks.asks().find((one) => !mayAsk(one, call.offers.value));
    return ask && { kind: 'error', error: missingCapability(requiredFor(ask)) };
  }

  async #askNow(askClient: AskClient, ask: Ask, signal: AbortSignal): Promise<AskAnswer> {
    if (this.#direct >= MAX_OPEN) return TOO_MUCH;
    this.#direct++;
    this.#clock.pause();
    try {
      const until = this.#outlives(ask) ? signal : AbortSignal.any([signal, this.#over.signal]);
      const answer = await askClient(ask, until);
      return until.aborted && 'error' in answer ? refusal(ask) : answer;
    } catch {
      return { error: rpcError(RPC.internalError, 'The client could not be asked.') };
    } finally {
      this.#direct--;
      if (this.#direct === 0 && !this.#ended) this.#clock.resume();
    }
  }

  /** What a server asks of roots it keeps, so a session's answer is of use after the call too. */
  #outlives({ method }: Ask): boolean {
    return method === 'roots/list' && this.lease.owner !== undefined;
  }

  get #executed(): 'no' | 'unknown' {
    return this.#sent ? 'unknown' : 'no';
  }

  #expire(why: Expiry): void {
    const { failures, limits } = this.#options;
    if (why === 'deadline') return this.#giveUp(outcomeOfReply(failures.deadline(this.#budgetMs, this.#executed)));
    const { failure } = failures.deadline(limits.parkMs, 'unknown');
    const message = `Server "${failures.server}" asked for input and got none within ${Math.round(limits.parkMs / 1_000)} s. The call may or may not have taken effect: look before you start the call again.`;
    this.#giveUp({ kind: 'failed', failure: { ...failure, message } });
  }

  /** Ends the call on our side. Its questions are answered first, so that the server hears of the cancellation with nothing open. */
  #giveUp(outcome: Outcome): void {
    if (this.#ended) return;
    this.#end(outcome, false, false);
    setImmediate(() => this.#life.abort(new Error('given up')));
  }

  #end(outcome: Outcome, clean: boolean, unsent: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#gathering);
    this.#clock.stop();
    this.#asks.refuse();
    this.#over.abort(new Error('the call is over'));
    this.#options.onEnd(this, { outcome, clean, unsent });
    const legs = this.#legs;
    this.#legs = [];
    for (const leg of legs) leg.settle(outcome);
  }
}

const TAKEN: Outcome = {
  kind: 'error',
  error: rpcError(RPC.invalidParams, 'This requestState was answered already, with other answers: they are not changed any more.'),
};

function tell(leg: Leg, method: string, params: Params | undefined): void {
  const text = params && { text: params.text.slice(params.span.start, params.span.end), value: params.value };
  leg.tell({ kind: 'notification', method, params: text });
}
