import {
  isModernRevision,
  legacyOffers,
  MAY_ASK,
  RPC,
  rpcError,
  type Announcement,
  type Call,
  type CallContext,
  type Caller,
  type Era,
  type Implementation,
  type Interest,
  type JsonObject,
  type LegacyRevision,
  type Listening,
  type Outcome,
  type Target,
} from '../protocol/index.ts';
import type { ListName, Registry, ServerState } from '../registry/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { BoundedCount, type Caps, type Clock } from '../shared/index.ts';
import { isPlain, outcomeOfReply } from './calls.ts';
import { openConnection } from './connect.ts';
import { RefusedError, type Connection, type FailedReply } from './connection.ts';
import { EraWatch } from './era-watch.ts';
import type { AskEra } from './eras.ts';
import type { Emit, UpstreamEvent } from './events.ts';
import { Failures } from './failures.ts';
import { LegacyCalls } from './leases/legacy-calls.ts';
import type { Limits } from './limits.ts';
import { RegistryEntry } from './registry-entry.ts';
import type { ToolJudge } from './pins/tool-judge.ts';
import { Second } from './second.ts';
import { Side, type SideOptions } from './side.ts';
import type { ChildRecords } from './stdio/records.ts';
import { Follower, type Following } from './subscriptions/follower.ts';
import type { UpstreamConfig, UpstreamStats } from './types.ts';
import type { Verdicts } from './verdicts.ts';
import { settledWithin } from './waiting.ts';

export interface UpstreamOptions {
  /** Decides what is shown of the server's tools; everything is unless it is given. */
  readonly judge?: ToolJudge | undefined;
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: UpstreamConfig;
  readonly registry: Registry;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly verdicts: Verdicts;
  readonly onEvent: (event: UpstreamEvent) => void;
}

interface Unsent {
  readonly reply: FailedReply;
  readonly side: Side;
}

const NEVER = new AbortController().signal;

const FOREIGN_STATE: Outcome = {
  kind: 'error',
  error: rpcError(RPC.invalidParams, 'The server does not know this requestState any more. Start the call again.'),
};

/**
 * One upstream: the server in its preferred era, in the legacy era beside that where it speaks both (PROTOCOL A1), and leased connections for
 * callers that can be asked. It shares nothing with the other upstreams.
 */
export class Upstream implements Target {
  readonly #options: UpstreamOptions;
  readonly #config: UpstreamConfig;
  readonly #failures: Failures;
  readonly #inFlight: BoundedCount;
  readonly #followed: BoundedCount;
  readonly #entry: RegistryEntry;
  readonly #emit: Emit;
  readonly #eraWatch: EraWatch;
  readonly #main: Side;
  readonly #second: Second;
  #legacyCalls: LegacyCalls | undefined;
  /** Settles when what the main connection found is in the registry. */
  #shown: Promise<void> = Promise.resolve();
  /** True once the registry has a catalogue of the server. */
  #reached = false;
  /** True once a legacy client came: then the server's own legacy side is looked for. */
  #legacyWanted = false;
  /** True once a client came that can be asked. */
  #asked = false;
  #trial: Promise<void> | undefined;
  #stopped = false;

  constructor(options: UpstreamOptions) {
    const { config, caps, limits, onEvent, registry } = options;
    this.#options = options;
    this.#config = config;
    this.#failures = new Failures(config.name, limits.frameBytes);
    this.#inFlight = new BoundedCount(`upstream_calls:${config.name}`, config.maxInFlight, caps);
    this.#followed = new BoundedCount(`upstream_followed:${config.name}`, limits.maxFollowed, caps);
    this.#emit = (event) => onEvent({ ...event, server: config.name });
    this.#entry = new RegistryEntry(registry, config);
    const common = { ...options, failures: this.#failures, followed: this.#followed, emit: this.#emit, asked: () => this.#asked };
    this.#eraWatch = new EraWatch({ ...common, side: 'main' });
    this.#main = new Side(this.#mainOptions(common));
    this.#second = new Second({ ...common, main: this.#main, onChange: (announced) => this.#show(announced) });
  }

  get stats(): UpstreamStats {
    const { connection, state, connections } = this.#main.link;
    const pid = connection?.pid;
    return {
      name: this.#config.name,
      state: state.state,
      inFlight: this.#inFlight.size,
      restarts: Math.max(0, connections - 1),
      ...(pid === undefined ? {} : { pid }),
    };
  }

  /** Connects and stays connected until `stop`. Resolves when the first attempt has ended. */
  async start(): Promise<void> {
    const { name } = this.#config;
    await this.#main.link.start(this.#options.verdicts.get(name, this.#config));
    await this.#shown;
  }

  /** Ends the connection, attempt or pause, and connects anew at once. Resolves when that attempt has ended. */
  async restart(): Promise<void> {
    if (this.#stopped) return;
    this.#second.end();
    this.#legacyCalls?.renew();
    await this.#main.link.restart();
    await this.#shown;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#failures.shutDown();
    // Side by side: calls end at once on each connection, however long its server takes to end.
    await Promise.all([this.#legacyCalls?.stop(), this.#second.stop(), this.#main.stop()]);
    await this.#shown;
    this.#options.caps.remove(this.#inFlight);
    this.#options.caps.remove(this.#followed);
  }

  /**
   * The first legacy client has a server of the modern era tried in the legacy one too. Before that nobody needs it, and to a server that has
   * none the attempt is a malformed request. The first client that can be asked has it read what a legacy server shows only to such clients.
   */
  async prepare(era: Era, asks = false): Promise<boolean> {
    if (this.#stopped) return true;
    this.#asked ||= asks;
    if (era === 'legacy') await this.#prepareLegacy();
    return !asks || this.#sideIn(era).catalogue.askable(this.#options.limits.secondMs);
  }

  async refresh(list: ListName, era: Era, deadlineMs: number): Promise<void> {
    await this.#sideIn(era).catalogue.fresh(list, deadlineMs);
  }

  async #prepareLegacy(): Promise<void> {
    const { connection } = this.#main.link;
    if (!this.#legacyWanted && connection !== undefined && this.#second.mayBe(connection)) this.#trial = this.#second.start();
    this.#legacyWanted = true;
    if (this.#trial !== undefined) await settledWithin(this.#trial, this.#options.limits.secondMs, NEVER);
  }

  /** Whose lists a client of this era sees. */
  #sideIn(era: Era): Side {
    return era === 'legacy' ? (this.#second.side ?? this.#main) : this.#main;
  }

  async handle(call: Call, context: CallContext): Promise<Outcome> {
    if (!this.#inFlight.enter())
      return outcomeOfReply(this.#failures.busy(`${this.#config.maxInFlight} calls are under way, which is its limit`));
    try {
      const expiresAt = performance.now() + Math.min(call.deadlineMs, this.#config.deadlineMs);
      const side = this.#sideOf(call);
      const special = isPlain(call) ? undefined : await this.#withAsks(call, context, side, expiresAt);
      if (special !== undefined) return special;
      const reply = await side.carryOut(call, context, expiresAt);
      const unsent = reply.kind === 'failed' && reply.gone === true && !context.signal.aborted;
      return unsent ? await this.#elsewhere(call, context, expiresAt, { reply, side }) : outcomeOfReply(reply);
    } catch (error) {
      return outcomeOfReply(this.#failures.refused('could not be called because of an error in the gateway', 'unknown', error));
    } finally {
      this.#inFlight.leave();
    }
  }

  /** What comes of a call that never left over the side that it was meant for, or was refused there as the server has changed its era. */
  async #elsewhere(call: Call, context: CallContext, expiresAt: number, { reply, side }: Unsent): Promise<Outcome> {
    // The legacy side went away: the server may still be there in its other era.
    if (side !== this.#main) return outcomeOfReply(await this.#main.carryOut(call, context, expiresAt));
    if (isPlain(call) || reply.turned !== true || side.link.connection === undefined) return outcomeOfReply(reply);
    const special = await this.#withAsks(call, context, side, expiresAt);
    return special ?? outcomeOfReply(await side.carryOut(call, context, expiresAt));
  }

  /** True for the next round of a call that goes on with it; what a modern server still wants only that server knows. */
  completes(call: Call): boolean {
    const parked = call.state !== undefined && LegacyCalls.owns(call.state);
    return !parked || this.#legacyCalls?.completes(call) === true;
  }

  /**
   * Follows resources and tasks of the server, over reconnections too, in the caller's era where the server has it; over the connection that a
   * session's calls have to themselves too.
   */
  listen(interest: Interest, { session }: Caller, onAnnouncement: (announcement: Announcement) => void): Listening {
    const era = interest.era ?? 'modern';
    const side = era === 'legacy' ? (this.#second.side ?? this.#main) : this.#main;
    const leases = !this.#stopped && session !== undefined && interest.uris.length > 0 && side.link.connection?.era !== 'modern';
    const own = leases ? this.#leases().follow(session, { interest: { ...interest, taskIds: [] }, era, onAnnouncement }) : undefined;
    const unlessOwn = (announcement: Announcement): void => {
      if (own?.tells(announcement) !== true) onAnnouncement(announcement);
    };
    const following: Following = { interest, era, onAnnouncement: unlessOwn };
    side.follower.add(following);
    return {
      honoured: side.follower.honoured(interest),
      close: () => {
        own?.close();
        if (!this.#main.follower.remove(following)) this.#second.side?.follower.remove(following);
      },
    };
  }

  /** The client's own era where the server has it (PROTOCOL A1). What was begun with a state goes on where it was begun. */
  #sideOf({ client, state }: Call): Side {
    const { side } = this.#second;
    return side === undefined || state !== undefined || isModernRevision(client.revision) ? this.#main : side;
  }

  /** A call whose client can be asked, or its next round; undefined if it goes over the shared connection like any other. */
  async #withAsks(call: Call, context: CallContext, side: Side, expiresAt: number): Promise<Outcome | undefined> {
    const { state, method, offers } = call;
    if (state !== undefined && LegacyCalls.owns(state)) return this.#leases().resume(call, context);
    const connection = side.link.connection ?? (await side.link.ready(expiresAt, context.signal));
    if ('kind' in connection) return side === this.#main ? outcomeOfReply(connection) : undefined;
    if (connection.era === 'modern') return undefined;
    // A legacy server would carry the call out from its beginning.
    if (state !== undefined) return FOREIGN_STATE;
    if (!connection.stateful || !MAY_ASK.has(method)) return undefined;
    const offered = legacyOffers(offers.value, connection.revision as LegacyRevision);
    if (Object.keys(offered).length === 0) return undefined;
    const outcome = await this.#leases().handle(call, context, expiresAt);
    const unsent = outcome.kind === 'failed' && outcome.failure.code === 'upstream_unavailable' && outcome.failure.executed === 'no';
    // A server that has lost its legacy era takes the call over the connection that all share.
    const turned = side === this.#main ? this.#eraWatch.speaks === 'modern' : side.link.connection !== connection;
    return unsent && turned ? undefined : outcome;
  }

  #leases(): LegacyCalls {
    this.#legacyCalls ??= new LegacyCalls({
      ...this.#options,
      server: this.#config.name,
      failures: this.#failures,
      emit: this.#emit,
      open: (offers, signal) => this.#openLease(offers, signal),
      onNotification: (method, params) => (this.#second.side ?? this.#main).follower.notified(method, params),
      newFollower: () => this.#newFollower(),
      asTask: (call) => (this.#second.side ?? this.#main).isTask(call),
    });
    return this.#legacyCalls;
  }

  async #openLease(offers: JsonObject, signal: AbortSignal): Promise<Connection> {
    const { limits } = this.#options;
    const onRefused: AskEra = (era, doubt) =>
      this.#second.side === undefined ? this.#eraWatch.doubt(era, doubt) : this.#second.doubt(era, doubt);
    const common = { ...this.#options, failures: this.#failures, emit: this.#emit, onRefused };
    try {
      return await openConnection({ ...common, purpose: 'serve', era: 'legacy', offers }, signal);
    } catch (error) {
      if (error instanceof RefusedError) await settledWithin(onRefused('legacy', 'strange'), limits.waitMs, signal);
      throw error;
    }
  }

  /** For what one session follows over a connection of its own. */
  #newFollower(): Follower {
    const onListChanged = (list: ListName): void => (this.#second.side ?? this.#main).catalogue.announced(list);
    return new Follower({ ...this.#options, followed: this.#followed, onListChanged, onGap: () => undefined });
  }

  #mainOptions(common: Pick<SideOptions, 'failures' | 'followed' | 'emit' | 'asked'>): SideOptions {
    const { limits } = this.#options;
    return {
      ...this.#options,
      ...common,
      era: this.#config.era,
      backoff: { firstMs: limits.backoffFirstMs, maxMs: limits.backoffMaxMs },
      check: () => undefined,
      outdated: (connection, signal) => this.#eraWatch.outdated(connection, signal),
      onUp: (connection, signal) => {
        this.#shown = this.#reach(connection, signal);
      },
      // `ready` is shown together with what the server has.
      onState: (state) => this.#entry.setState(state),
      onRead: (announced) => this.#show(announced),
      onRefused: (era, doubt) => this.#eraWatch.doubt(era, doubt),
    };
  }

  /** Shows the server once it is known whether it has a second era, or cannot be known soon. */
  async #reach(connection: Connection, signal: AbortSignal): Promise<void> {
    if (!this.#stopped && this.#legacyWanted && this.#second.mayBe(connection))
      await settledWithin(this.#second.start(), this.#options.limits.secondMs, signal);
    else this.#second.end();
    if (this.#stopped || this.#main.link.connection !== connection) return;
    this.#reached = true;
    this.#show([], this.#main.link.state);
    this.#options.verdicts.set(this.#config.name, this.#config, connection.era);
  }

  #show(announced: readonly ListName[], state?: ServerState): void {
    const { catalogue, link } = this.#main;
    const era = link.connection?.era;
    if (!this.#reached || catalogue.value === undefined || era === undefined) return;
    const legacy = this.#second.side?.catalogue.value;
    const eras: Era[] = legacy === undefined ? [era] : ['modern', 'legacy'];
    this.#entry.show(eras, catalogue.value, legacy, { announced, ...(state === undefined ? {} : { state }) });
  }
}
