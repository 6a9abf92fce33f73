import { LATEST_LEGACY, legacyOffers, RPC, rpcError, type Implementation, type JsonObject } from '../protocol/index.ts';
import type { CatalogueTool } from '../registry/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import { LIST_READERS } from './discovery.ts';
import type { Emit } from './events.ts';
import type { Limits } from './limits.ts';
import type { ToolJudge } from './pins/tool-judge.ts';
import { pollAfter, Refresher } from './refresher.ts';
import { answerOutsideCalls } from './server-requests.ts';
import type { UpstreamConfig } from './types.ts';
import { settledWithin } from './waiting.ts';

/** A connection whose server's lists are kept up to date, until the signal is aborted. */
export interface Source {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

export interface ExtraToolsOptions {
  /** Decides what is shown of the server's tools; everything is unless it is given. */
  readonly judge?: ToolJudge | undefined;
  readonly config: UpstreamConfig;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly emit: Emit;
  /** True once a client came that can be asked: nothing is read before. */
  readonly asked: () => boolean;
  /** A legacy connection that offers these client capabilities. Throws a ConnectError. */
  readonly open: (offers: JsonObject, signal: AbortSignal) => Promise<Connection>;
}

type Tools = readonly CatalogueTool[];

const EVERYTHING: JsonObject = { elicitation: { form: {}, url: {} }, sampling: { context: {}, tools: {} }, roots: { listChanged: true } };

interface Trial {
  readonly offers: JsonObject;
  /** What of them a tool needs that no trial before showed. */
  readonly needs: JsonObject;
}

const same = (offers: JsonObject): Trial => ({ offers, needs: offers });
/** Single capabilities: first as little of each as there is, then more of it for tools that were not seen yet. */
const TRIALS: readonly (readonly Trial[])[] = [
  [same({ elicitation: {} }), same({ sampling: {} }), { offers: { roots: { listChanged: true } }, needs: { roots: {} } }],
  [{ offers: { elicitation: { form: {}, url: {} } }, needs: { elicitation: { url: {} } } }, same({ sampling: { tools: {} } })],
];
/** Readings in a row that fail before the server is left alone until it shows something new. */
const MOST_FAILURES = 3;

const nameOf = ({ definition }: CatalogueTool): string => definition.name;
const namesOf = (tools: Tools): ReadonlySet<string> => new Set(tools.map(nameOf));

/** True if both hold the same tools for the same clients. */
export const sameTools = (one: Tools, other: Tools): boolean =>
  one.length === other.length &&
  one.every(({ definition, needs, sideEffect }, i) => {
    const that = other[i];
    return (
      definition.text === that?.definition.text && sideEffect === that.sideEffect && JSON.stringify(needs) === JSON.stringify(that.needs)
    );
  });

/**
 * Tools that a legacy server shows only to clients that declare what it may ask them (elicitation, sampling, roots). They are read over short-lived
 * connections that offer these, when the first such client comes, and again when the server shows something else to everyone. Which of them a tool
 * needs is found out by offering one at a time.
 */
export class ExtraTools {
  readonly #options: ExtraToolsOptions;
  readonly #onChange: () => void;
  readonly #refresher: Refresher;
  /** Connections that are being closed. */
  readonly #closing = new Set<Promise<void>>();
  readonly #life = new AbortController();
  #source: Source | undefined;
  #plain: Tools = [];
  #tools: Tools = [];
  /** True once a reading has ended, well or not: no client waits for another one. */
  #tried = false;
  #readAt = -Infinity;
  #failures = 0;

  constructor(options: ExtraToolsOptions, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#refresher = new Refresher(options.limits.refreshDelayMs, () => this.#refresh());
  }

  /** In the server's own order; what everyone sees is not among them. */
  get tools(): Tools {
    return this.#tools;
  }

  /** What the server shows to everyone was read over this connection. */
  follow(source: Source, plain: Tools): void {
    const news = source.connection !== this.#source?.connection || plain !== this.#plain;
    this.#source = source;
    this.#plain = plain;
    const { era, stateful } = source.connection;
    // A server that cannot ask has nothing to show for it (PROTOCOL A1).
    if (era === 'modern' || !stateful) this.#tools = [];
    else if (this.#tools.some(isIn(plain))) this.#tools = this.#tools.filter((tool) => !isIn(plain)(tool));
    if (!news) return;
    this.#failures = 0;
    if (this.#mayHaveSome && this.#options.asked()) this.#soon();
  }

  /** Reads them unless that was done or tried. False if that is not over within `ms`; a reading that others waited for in vain is not waited for. */
  async ready(ms: number): Promise<boolean> {
    if (this.#tried || !this.#mayHaveSome) return true;
    if (this.#refresher.readingMs <= ms) await settledWithin(this.#refresher.now(), ms, this.#life.signal);
    return this.#tried;
  }

  async stop(): Promise<void> {
    this.#refresher.stop();
    this.#life.abort(new Error('stopped'));
    if (this.#refresher.reading) await this.#refresher.now();
    await Promise.all(this.#closing);
  }

  get #mayHaveSome(): boolean {
    const source = this.#source;
    return source !== undefined && !source.signal.aborted && source.connection.era === 'legacy' && source.connection.stateful;
  }

  #soon(): void {
    const { refreshDelayMs, refreshMinMs } = this.#options.limits;
    this.#refresher.later(this.#tried ? Math.max(refreshDelayMs, this.#readAt + refreshMinMs - performance.now()) : 0);
  }

  async #refresh(): Promise<void> {
    const source = this.#source;
    if (source === undefined || !this.#mayHaveSome || this.#life.signal.aborted) return;
    const { limits, emit } = this.#options;
    this.#readAt = performance.now();
    const signal = AbortSignal.any([source.signal, this.#life.signal, AbortSignal.timeout(limits.connectMs)]);
    try {
      const found = await this.#read(signal);
      this.#failures = 0;
      if (this.#source?.connection === source.connection && !sameTools(found, this.#tools)) {
        this.#tools = found;
        this.#onChange();
      }
    } catch (error) {
      if (source.signal.aborted || this.#life.signal.aborted) return;
      const reason = error instanceof ConnectError ? error.reason : 'an unexpected error';
      emit({ kind: 'refresh_failed', reason: `what it shows to clients that can be asked: ${reason}` });
      if (++this.#failures < MOST_FAILURES) this.#refresher.later(pollAfter(0, limits.refreshMinMs, this.#failures));
    }
    this.#tried = true;
  }

  async #read(signal: AbortSignal): Promise<Tools> {
    const hidden = (tool: CatalogueTool): boolean => !isIn(this.#plain)(tool);
    const extra = (await this.#shownFor(EVERYTHING, signal)).filter(hidden).slice(0, this.#options.limits.maxTools - this.#plain.length);
    const needs = new Map<string, JsonObject[]>(extra.map((tool) => [nameOf(tool), []]));
    for (const trials of TRIALS) {
      const left = extra.filter((tool) => needs.get(nameOf(tool))?.length === 0);
      if (left.length === 0) break;
      const shown = await Promise.all(trials.map(({ offers }) => this.#shownFor(offers, signal)));
      for (const [i, trial] of trials.entries()) {
        const names = namesOf(shown[i] ?? []);
        for (const tool of left) if (names.has(nameOf(tool))) needs.get(nameOf(tool))?.push(trial.needs);
      }
    }
    return extra.map((tool) => {
      const found = needs.get(nameOf(tool)) ?? [];
      return { ...tool, needs: found.length === 0 ? [EVERYTHING] : found };
    });
  }

  /** What the server lists for a client that declares these. Throws a ConnectError. */
  async #shownFor(offers: JsonObject, signal: AbortSignal): Promise<Tools> {
    const { config, gateway, limits, open, judge } = this.#options;
    const connection = await open(legacyOffers(offers, LATEST_LEGACY), signal);
    try {
      connection.listen({
        onRequest: (request) => Promise.resolve(request.method === 'roots/list' ? answerOutsideCalls(request, config.roots) : NOBODY),
        onNotification: () => undefined,
      });
      const read = { gateway, limits, scopes: config.scopes, policies: config.tools, judge, scope: ASKED, signal };
      return (await LIST_READERS.tools(connection, read)).tools;
    } finally {
      const closing: Promise<void> = connection.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }
}

/** Pins of what only clients see that can be asked: a server may describe its tools to them in other words. */
const ASKED = 'legacy, can be asked';
const NOBODY = { error: rpcError(RPC.invalidParams, 'This connection only reads lists: nobody can be asked here.') };

/** Whether a tool of that name is in the list. */
function isIn(tools: Tools): (tool: CatalogueTool) => boolean {
  const names = namesOf(tools);
  return (tool) => names.has(nameOf(tool));
}
