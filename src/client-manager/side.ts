import { isObject, type Call, type CallContext, type Era, type HeaderParam, type Implementation } from '../protocol/index.ts';
import type { EgressGuard } from '../security/index.ts';
import type { CatalogueTool, ListName, ServerState } from '../registry/index.ts';
import type { BoundedCount, Clock } from '../shared/index.ts';
import type { BackoffOptions } from './backoff.ts';
import { isPlain, looksOutdated, looksRefused, repeatable, runLeg } from './calls.ts';
import { CatalogueReader } from './catalogue.ts';
import type { Connection, Exchange, Reply } from './connection.ts';
import { openConnection } from './connect.ts';
import { connectOnce, type Connected } from './connector.ts';
import type { AskEra } from './eras.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import { exchangeAsTask } from './leases/legacy-task.ts';
import type { Limits } from './limits.ts';
import { Link } from './link.ts';
import { SharedLogLevel } from './log-level.ts';
import { answerOutsideCalls } from './server-requests.ts';
import type { ChildRecords } from './stdio/records.ts';
import { Follower } from './subscriptions/follower.ts';
import type { ToolJudge } from './pins/tool-judge.ts';
import type { UpstreamConfig } from './types.ts';
import { settledWithin } from './waiting.ts';

export interface SideOptions {
  /** Decides what is shown of the server's tools; everything is unless it is given. */
  readonly judge?: ToolJudge | undefined;
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: UpstreamConfig;
  /** See `Follower`. */
  readonly followed: BoundedCount;
  readonly clock: Clock;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly failures: Failures;
  readonly backoff: BackoffOptions;
  readonly emit: Emit;
  readonly era: 'auto' | Era;
  /** True once a client came that can be asked. */
  readonly asked: () => boolean;
  readonly onUp: (connection: Connection, signal: AbortSignal) => void;
  readonly onState: (state: ServerState) => void;
  readonly onRead: (announced: readonly ListName[]) => void;
  /** The server refuses what it should not: does it speak another era now? */
  readonly onRefused: AskEra;
  readonly outdated: (connection: Connection, signal: AbortSignal) => Promise<string>;
  /** Whether a connection of this kind is of use; one that is not is closed, with the reason. Throws a ConnectError. */
  readonly check: (connection: Connection) => void;
}

interface LegEnd {
  readonly reply: Reply;
  /** Undefined if the call did not come to use one. */
  readonly connection: Connection | undefined;
}

interface Answered extends LegEnd {
  readonly connection: Connection;
}

/** So many refusals in a row, without a result between them, are reason to ask a server for its era. */
const REFUSALS = 3;

/** A server in one era: the connection that its callers share, the lists read over it, what clients follow, and calls. */
export class Side {
  readonly link: Link;
  readonly catalogue: CatalogueReader;
  readonly follower: Follower;
  readonly #options: SideOptions;
  readonly #level = new SharedLogLevel();
  /** Calls in a row that the server refused. */
  #refusals = 0;
  #tasks: { readonly tools: readonly CatalogueTool[]; readonly names: ReadonlySet<string> } = { tools: [], names: new Set() };

  constructor(options: SideOptions) {
    const { config } = options;
    this.#options = options;
    this.catalogue = new CatalogueReader({
      ...options,
      onRefused: () => {
        if (this.link.connection !== undefined) void options.onRefused(this.link.connection.era, 'ordinary');
      },
      open: (offers, signal) => openConnection({ ...options, purpose: 'probe', era: 'legacy', offers }, signal),
    });
    this.follower = new Follower({
      ...options,
      onListChanged: (list) => this.catalogue.announced(list),
      onGap: () => this.catalogue.reread(),
    });
    this.link = new Link({
      ...options,
      deadlineMs: config.deadlineMs,
      connect: (expected, signal) => this.#connect(expected, signal),
      onUp: (connected, signal) => this.#up(connected, signal),
      onLeave: (connection) => this.#leave(connection),
    });
  }

  /** True for a tool that a legacy server carries out only as a task of 2025-11-25 (PROTOCOL C6). */
  isTask({ method, subject }: Call): boolean {
    const tools = this.catalogue.value?.tools;
    if (method !== 'tools/call' || subject === undefined || tools === undefined) return false;
    if (this.#tasks.tools !== tools)
      this.#tasks = { tools, names: new Set(tools.filter(needsTask).map(({ definition }) => definition.name)) };
    return this.#tasks.names.has(subject.value);
  }

  async stop(): Promise<void> {
    this.follower.stop();
    await Promise.all([this.catalogue.stop(), this.link.stop()]);
  }

  /** Sends the call; once more if it provably did nothing (PROTOCOL A8). `expiresAt` is on the clock of `performance.now()`. */
  async carryOut(call: Call, context: CallContext, expiresAt: number): Promise<Reply> {
    const { reply, connection } = await this.#leg(call, context, call.headerParams, expiresAt);
    if (reply.kind === 'response' && reply.error === undefined) {
      this.#refusals = 0;
      return reply;
    }
    return connection === undefined ? reply : this.#again(call, context, expiresAt, { reply, connection });
  }

  /** What comes of a call that brought no result. */
  async #again(call: Call, context: CallContext, expiresAt: number, first: Answered): Promise<Reply> {
    const { connection } = first;
    const reply = (await this.#isForeign(first.reply, connection, context, expiresAt)) ? this.#options.failures.turned() : first.reply;
    const why = repeatable(reply, connection);
    if (why === undefined && looksOutdated(reply, connection.era)) this.catalogue.doubt();
    if (why === undefined || context.signal.aborted) return reply;
    let { headerParams } = call;
    if (why === 'headers') {
      const present = await this.catalogue.presentHeaders(call, expiresAt - performance.now(), context.signal);
      if (present === undefined) return reply;
      headerParams = present;
    } else if (why === 'revision') {
      if (!this.link.renew(connection)) return reply;
    } else this.link.withdraw(connection);
    const turned = reply.kind === 'failed' && reply.turned === true;
    if (turned && !(await this.#takes(call, context, expiresAt))) return reply;
    return (await this.#leg(call, context, headerParams, expiresAt)).reply;
  }

  /** True for a refusal of a server that has changed its era. Where it does not say that nothing was done, the era is only asked for. */
  async #isForeign(reply: Reply, { era }: Connection, context: CallContext, expiresAt: number): Promise<boolean> {
    if (reply.kind === 'failed' || !looksRefused(reply, era) || ++this.#refusals < REFUSALS) return false;
    this.#refusals = 0;
    const turned = this.#options.onRefused(era, 'ordinary');
    if (reply.status === undefined) return false;
    const waitMs = Math.min(this.#options.limits.waitMs, expiresAt - performance.now());
    return (await settledWithin(turned, waitMs, context.signal)) === true;
  }

  /** Whether the next connection, in the server's new era, can carry out the call. */
  async #takes(call: Call, context: CallContext, expiresAt: number): Promise<boolean> {
    const next = await this.link.ready(expiresAt, context.signal);
    return !('kind' in next) && (next.era === 'modern' || isPlain(call));
  }

  async #leg(call: Call, context: CallContext, headerParams: readonly HeaderParam[], expiresAt: number): Promise<LegEnd> {
    const connection = this.link.connection ?? (await this.link.ready(expiresAt, context.signal));
    if ('kind' in connection) return { reply: connection, connection: undefined };
    if (call.logLevel !== undefined) await this.#level.ensure(connection, call.logLevel);
    const { gateway, config, failures } = this.#options;
    const send =
      connection.era === 'legacy' && this.isTask(call)
        ? (exchange: Exchange): Promise<Reply> => exchangeAsTask(connection, exchange, failures)
        : undefined;
    const reply = await runLeg({ server: config.name, connection, call, context, headerParams, expiresAt, gateway, send });
    return { reply, connection };
  }

  async #connect(expected: Era | undefined, signal: AbortSignal): Promise<Connected> {
    const connected = await connectOnce({ ...this.#options, purpose: 'serve', expected }, signal);
    try {
      this.#options.check(connected.connection);
    } catch (error) {
      await connected.connection.close();
      throw error;
    }
    return connected;
  }

  #up({ connection, discovered, connectMs, listMs }: Connected, signal: AbortSignal): void {
    const { emit, config, onUp } = this.#options;
    this.catalogue.take({ connection, signal }, discovered);
    connection.listen({
      onRequest: (request) => Promise.resolve(answerOutsideCalls(request, config.roots)),
      onNotification: (method, params) => {
        if (this.link.connection === connection) this.follower.notified(method, params);
      },
      onRenewed: () => {
        if (this.link.connection !== connection) return;
        this.#level.forget();
        this.follower.forgotten();
      },
    });
    const { via, revision, eras } = connection;
    emit({ kind: 'connected', via, revision, eras, tools: discovered.tools.tools.length, durationMs: connectMs + listMs });
    onUp(connection, signal);
    this.follower.attach(connection);
  }

  #leave(connection: Connection): void {
    this.catalogue.leave(connection);
    this.follower.detach(connection);
  }
}

const needsTask = ({ definition }: CatalogueTool): boolean =>
  isObject(definition.value.execution) && definition.value.execution.taskSupport === 'required';
