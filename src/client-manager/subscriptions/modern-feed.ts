import {
  filterText,
  isObject,
  TASKS_EXTENSION,
  type Implementation,
  type Interest,
  type ListenFilter,
  type ModernRevision,
  type Params,
} from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import { Backoff } from '../backoff.ts';
import type { Connection, Reply } from '../connection.ts';
import type { Limits } from '../limits.ts';
import { ownMeta } from '../own-requests.ts';
import { settledWithin } from '../waiting.ts';
import { NOTHING, type Feed, type Wanted } from './feed.ts';

export interface ModernFeedOptions {
  readonly connection: Connection;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly wanted: Wanted;
  /** A notification on the stream. */
  readonly onNotification: (method: string, params: Params | undefined) => void;
  /** The stream is back after it was broken: changes may have been missed. */
  readonly onGap: () => void;
}

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
/** Changes of what is wanted are gathered so long. */
const GATHER_MS = 10;
const NO_FILTER: ListenFilter = { tools: false, prompts: false, resources: false, uris: [], taskIds: [] };

/** One `subscriptions/listen` of ours. */
interface Stream {
  readonly filter: ListenFilter;
  readonly stop: AbortController;
  /** What the server agreed to, or why it ended before it said so. */
  readonly settled: PromiseWithResolvers<ListenFilter | Reply>;
  readonly ended: Promise<Reply>;
}

/**
 * One `subscriptions/listen` over a connection, for the lists that the server can announce and all that clients follow (S26 subscriptions).
 * When that changes the next stream is opened and acknowledged before the one before is closed, so that nothing is missed (PROTOCOL C8).
 */
export class ModernFeed implements Feed {
  readonly #options: ModernFeedOptions;
  readonly #flags: Pick<ListenFilter, 'tools' | 'prompts' | 'resources'>;
  readonly #over = new AbortController();
  readonly #backoff: Backoff;
  /** Ids that the server does not want to hear of: one of them would spoil the stream for all others. */
  readonly #refused = new Set<string>();
  #stream: Stream | undefined;
  #agreed: ListenFilter = NO_FILTER;
  #due = Promise.withResolvers<void>();
  /** Settles when what was wanted then has been asked for. */
  #step = Promise.withResolvers<void>();

  constructor(options: ModernFeedOptions) {
    this.#options = options;
    const { limits, connection } = options;
    const { capabilities } = connection.facts;
    const announces = (list: string): boolean => isObject(capabilities[list]) && capabilities[list].listChanged === true;
    this.#flags = { tools: announces('tools'), prompts: announces('prompts'), resources: announces('resources') };
    this.#backoff = new Backoff({ firstMs: limits.backoffFirstMs, maxMs: limits.backoffMaxMs });
    if (!isEmpty(this.#filter())) this.changed();
    void this.#run();
  }

  changed(): void {
    this.#due.resolve();
  }

  async honoured(interest: Interest): Promise<Interest> {
    await settledWithin(this.#step.promise, this.#options.limits.listenMs + GATHER_MS, this.#over.signal);
    const uris = new Set(this.#agreed.uris);
    const taskIds = new Set(this.#agreed.taskIds);
    return this.#over.signal.aborted
      ? NOTHING
      : { uris: interest.uris.filter((uri) => uris.has(uri)), taskIds: interest.taskIds.filter((id) => taskIds.has(id)) };
  }

  forgotten(): void {
    this.changed();
  }

  close(): void {
    this.#over.abort(new Error('nobody listens any more'));
    this.#stream?.stop.abort();
    this.#due.resolve();
    this.#step.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    const pause = (ms: number): Promise<void> => sleep(ms, signal).catch(() => undefined);
    while (!signal.aborted) {
      const broken = this.#stream?.ended.then(() => 'broken' as const) ?? NEVER;
      const gap = (await Promise.race([this.#due.promise, broken])) === 'broken';
      if (gap) {
        this.#stream = undefined;
        this.#agreed = NO_FILTER;
      }
      await pause(gap ? this.#backoff.next() : this.#gatherMs());
      const step = this.#step;
      this.#step = Promise.withResolvers();
      this.#due = Promise.withResolvers();
      const done = signal.aborted || (await this.#open(gap));
      step.resolve();
      if (done) continue;
      await pause(this.#backoff.next());
      this.changed();
    }
  }

  /** Each change sends the whole filter again: the larger it is, the more changes go together. */
  #gatherMs(): number {
    const { uris, taskIds } = this.#options.wanted;
    return GATHER_MS + (uris.size + taskIds.size) / 10;
  }

  /** Opens the stream for what is wanted now, and then ends the one before. False if it has to be tried again. */
  async #open(afterGap: boolean): Promise<boolean> {
    const filter = this.#filter();
    const before = this.#stream;
    if (before !== undefined && sameFilter(before.filter, filter)) return true;
    if (isEmpty(filter)) {
      this.#take(undefined, NO_FILTER);
      return true;
    }
    const stream = this.#listen(filter);
    const answer = await settledWithin(stream.settled.promise, this.#options.limits.listenMs, this.#over.signal);
    if (answer === 'canceled') stream.stop.abort();
    else if (answer === 'late') this.#take(stream, NO_FILTER);
    else if ('kind' in answer) return this.#refuse(answer, filter);
    else {
      this.#backoff.reset();
      this.#take(stream, answer);
      if (afterGap) this.#options.onGap();
    }
    return true;
  }

  #take(stream: Stream | undefined, agreed: ListenFilter): void {
    const before = this.#stream;
    this.#stream = stream;
    this.#agreed = agreed;
    before?.stop.abort();
  }

  /** The stream ended before it was acknowledged. What the server refused is not asked for again over this connection. */
  #refuse(reply: Reply, filter: ListenFilter): boolean {
    if (reply.kind === 'failed' || reply.error === undefined) return false;
    const held = new Set([...this.#agreed.uris, ...this.#agreed.taskIds]);
    for (const id of [...filter.uris, ...filter.taskIds]) if (!held.has(id)) this.#refused.add(id);
    return true;
  }

  #filter(): ListenFilter {
    const { uris, taskIds } = this.#options.wanted;
    for (const id of this.#refused) if (!uris.has(id) && !taskIds.has(id)) this.#refused.delete(id);
    const allowed = (id: string): boolean => !this.#refused.has(id);
    return { ...this.#flags, uris: [...uris.keys()].filter(allowed), taskIds: [...taskIds.keys()].filter(allowed) };
  }

  #listen(filter: ListenFilter): Stream {
    const { connection, gateway, onNotification } = this.#options;
    const stop = new AbortController();
    const settled = Promise.withResolvers<ListenFilter | Reply>();
    const meta = ownMeta(connection.revision as ModernRevision, gateway, filter.taskIds.length > 0 ? TASKS : undefined);
    const ended = connection.exchange({
      method: 'subscriptions/listen',
      params: `{"_meta":${JSON.stringify(meta)},"notifications":${filterText(filter)}}`,
      mirror: { _meta: meta },
      headerParams: [],
      expiresAt: Infinity,
      signal: stop.signal,
      onNotification: (method, params) => {
        if (stop.signal.aborted) return;
        if (method !== ACKNOWLEDGED) return onNotification(method, params);
        const agreed = agreedOf(params, filter);
        settled.resolve(agreed);
        if (this.#stream?.stop === stop) this.#agreed = agreed;
      },
    });
    const stream: Stream = { filter, stop, settled, ended };
    void ended.then((reply) => settled.resolve(reply));
    return stream;
  }
}

const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };
const NEVER = new Promise<never>(() => undefined);

/** What of the filter an acknowledgement names. */
function agreedOf(params: Params | undefined, filter: ListenFilter): ListenFilter {
  const named = isObject(params?.value.notifications) ? params.value.notifications : {};
  const of = (key: string, ids: readonly string[]): string[] => {
    const list: unknown = named[key];
    const agreed = new Set<unknown>(Array.isArray(list) ? list : []);
    return ids.filter((id) => agreed.has(id));
  };
  const { uris, taskIds } = filter;
  return { ...filter, uris: of('resourceSubscriptions', uris), taskIds: of('taskIds', taskIds) };
}

const isEmpty = ({ tools, prompts, resources, uris, taskIds }: ListenFilter): boolean =>
  !tools && !prompts && !resources && uris.length === 0 && taskIds.length === 0;

const sameFilter = (one: ListenFilter, other: ListenFilter): boolean =>
  one.uris.length === other.uris.length &&
  one.taskIds.length === other.taskIds.length &&
  one.uris.every((uri, i) => uri === other.uris[i]) &&
  one.taskIds.every((id, i) => id === other.taskIds[i]);
