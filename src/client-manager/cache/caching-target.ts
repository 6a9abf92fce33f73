import { createHash } from 'node:crypto';
import {
  canonicalJson,
  isModernRevision,
  isObject,
  objectSpan,
  spliceObject,
  type Announcement,
  type Call,
  type CallContext,
  type Caller,
  type Interest,
  type JsonText,
  type Listening,
  type Outcome,
} from '../../protocol/index.ts';
import type { Clock } from '../../shared/index.ts';
import { PassingTarget } from '../passing-target.ts';
import type { MintingInner } from '../tasks/minting-target.ts';
import type { Part, ResultStore, StoredResult } from './store.ts';

/** Member of `_meta`: of a request `bypass` or `refresh`, of a result what became of it. */
export const CACHE_META = 'io.stockpulse/cache';

/** How results of one tool are kept; only configuration says so (PROTOCOL A11). */
export interface ToolCaching {
  readonly ttlMs: number;
  /** Every caller may get the same result. */
  readonly shared: boolean;
}

export interface CachingTargetOptions {
  readonly server: string;
  readonly inner: MintingInner;
  readonly store: ResultStore;
  readonly clock: Clock;
  /** By the server's own tool names. */
  readonly tools: ReadonlyMap<string, ToolCaching>;
  /** Larger results are not kept; in characters. */
  readonly maxText: number;
}

/** What of a call is looked up and kept. */
interface Plan {
  readonly part: Part;
  /** Undefined where the result itself says how long it holds. */
  readonly tool: ToolCaching | undefined;
}

/** Where a result may be kept: for its caller, and for everybody where its server may say that it is for all. */
interface Keys {
  readonly own: string;
  readonly open?: string;
}

const NEVER: readonly unknown[] = [undefined, null];

/**
 * A server some of whose results are kept: those of tools that its operator named, and resources for as long as the server says (PROTOCOL
 * A11, C7). A write drops what was kept of its server. Everything else passes.
 */
export class CachingTarget extends PassingTarget {
  readonly #options: CachingTargetOptions;

  constructor(options: CachingTargetOptions) {
    super(options.inner);
    this.#options = options;
  }

  override listen(interest: Interest, caller: Caller, onAnnouncement: (announcement: Announcement) => void): Listening {
    return super.listen(interest, caller, (announcement) => {
      if (announcement.method === 'notifications/resources/updated') this.drop('resources');
      onAnnouncement(announcement);
    });
  }

  /** What was kept is no longer true: the server says that it changed. */
  drop(part: Part): void {
    this.#options.store.drop(this.#options.server, part);
  }

  handle(call: Call, context: CallContext): Promise<Outcome> {
    if (call.sideEffect !== 'read') return this.#options.tools.size === 0 ? this.inner.handle(call, context) : this.#write(call, context);
    const plan = this.#planOf(call);
    return plan === undefined ? this.inner.handle(call, context) : this.#read(call, context, plan);
  }

  /** Undefined for a call that is never looked up. A round of a call is its caller's alone. */
  #planOf({ method, subject, state, answers }: Call): Plan | undefined {
    if (state !== undefined || answers !== undefined || subject === undefined) return undefined;
    if (method === 'resources/read') return { part: 'resources', tool: undefined };
    const tool = method === 'tools/call' ? this.#options.tools.get(subject.value) : undefined;
    return tool && { part: 'tools', tool };
  }

  async #write(call: Call, context: CallContext): Promise<Outcome> {
    try {
      return await this.inner.handle(call, context);
    } finally {
      this.drop('tools');
      this.drop('resources');
    }
  }

  async #read(call: Call, context: CallContext, plan: Plan): Promise<Outcome> {
    const { store, clock, server } = this.#options;
    const wish = wishOf(call);
    const keys = wish === 'bypass' ? undefined : this.#keysOf(call, plan);
    if (wish === undefined && keys !== undefined) {
      const now = clock.now();
      const kept = store.get(keys.own, now) ?? (keys.open === undefined ? undefined : store.get(keys.open, now));
      if (kept !== undefined) return this.#hit(kept, plan, context);
    }
    const version = store.version(server, plan.part);
    const outcome = await this.inner.handle(call, context);
    if (outcome.kind !== 'complete' || outcome.result.value.isError === true) return outcome;
    if (keys !== undefined && store.version(server, plan.part) === version) this.#keep(plan, keys, outcome.result);
    // A resource that its server does not want to be kept is none of ours.
    if (plan.tool === undefined && ttlOf(outcome.result) === 0) return outcome;
    const state = wish === 'bypass' ? 'bypass' : 'miss';
    context.onEvent({ kind: 'cache', state, ageMs: 0 });
    return { kind: 'complete', result: marked(outcome.result, { state }) };
  }

  #hit(kept: StoredResult, plan: Plan, context: CallContext): Outcome {
    const now = this.#options.clock.now();
    const ageMs = Math.max(0, now - kept.storedAt);
    context.onEvent({ kind: 'cache', state: 'hit', ageMs });
    const result: JsonText = { text: kept.text, value: kept.value };
    const lifetime = plan.tool === undefined ? Math.max(0, kept.expiresAt - now) : undefined;
    return { kind: 'complete', result: marked(result, { state: 'hit', ageMs }, lifetime) };
  }

  #keep(plan: Plan, keys: Keys, result: JsonText): void {
    const { store, clock, maxText } = this.#options;
    const ttlMs = plan.tool?.ttlMs ?? ttlOf(result);
    if (ttlMs <= 0 || result.text.length > maxText) return;
    const isOpen = keys.open !== undefined && result.value.cacheScope === 'public';
    const now = clock.now();
    store.set(isOpen ? keys.open : keys.own, {
      text: result.text,
      value: result.value,
      storedAt: now,
      expiresAt: now + ttlMs,
    });
  }

  #keysOf(call: Call, plan: Plan): Keys {
    const own = this.#keyOf(call, plan, plan.tool?.shared === true);
    return plan.tool === undefined ? { own, open: this.#keyOf(call, plan, true) } : { own };
  }

  /** What makes two calls the same: their caller too, unless everybody gets the same. */
  #keyOf(call: Call, { part }: Plan, shared: boolean): string {
    const { server, store } = this.#options;
    const { _meta, ...params } = call.params?.value ?? {};
    const era = isModernRevision(call.client.revision) ? 'modern' : 'legacy';
    const who = shared ? null : call.caller.principal;
    const subject = call.subject?.value;
    const text = canonicalJson([
      server,
      part,
      store.version(server, part),
      call.method,
      subject,
      era,
      who,
      call.offers.text,
      params,
      call.edits,
    ]);
    return text.length <= MAX_PLAIN_KEY ? text : createHash('sha256').update(text).digest('base64');
  }
}

const MAX_PLAIN_KEY = 400;

/** What the caller wants of the cache: to go past it, or to have it filled anew. */
function wishOf({ params }: Call): 'bypass' | 'refresh' | undefined {
  const meta = params?.value._meta;
  const wish = isObject(meta) ? meta[CACHE_META] : undefined;
  return wish === 'bypass' || wish === 'refresh' ? wish : undefined;
}

/** How long the server lets its result be kept, in milliseconds (S26 caching). */
function ttlOf({ value }: JsonText): number {
  const { ttlMs } = value;
  return typeof ttlMs === 'number' && Number.isFinite(ttlMs) && ttlMs > 0 ? ttlMs : 0;
}

/** The result with what became of it in its `_meta`, and with what is left of its lifetime. */
function marked({ text, value }: JsonText, what: object, ttlMs?: number): JsonText {
  const own = JSON.stringify(what);
  const span = objectSpan(text);
  const edits: Record<string, string> = ttlMs === undefined ? {} : { ttlMs: String(ttlMs) };
  const meta = value._meta;
  if (isObject(meta)) {
    const member = span.members.findLast(({ key }) => key === '_meta');
    const metaText = member === undefined ? '{}' : text.slice(member.start, member.end);
    edits._meta = spliceObject(metaText, objectSpan(metaText), { [CACHE_META]: own });
  } else if (NEVER.includes(meta)) edits._meta = `{"${CACHE_META}":${own}}`;
  return {
    text: spliceObject(text, span, edits),
    value: {
      ...value,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(edits._meta === undefined ? {} : { _meta: { ...(isObject(meta) ? meta : {}), [CACHE_META]: what } }),
    },
  };
}
