import type { Interest } from '../../protocol/index.ts';
import type { Connection } from '../connection.ts';
import type { Limits } from '../limits.ts';
import { ownExchange } from '../own-requests.ts';
import { settledWithin } from '../waiting.ts';
import { NOTHING, type Feed, type Wanted } from './feed.ts';

export interface LegacyFeedOptions {
  readonly connection: Connection;
  readonly limits: Limits;
  readonly wanted: Wanted;
}

/** Requests at once: a server that comes back is asked for thousands of resources anew. */
const PARALLEL = 8;

interface Resource {
  readonly uri: string;
  /** `unknown` until the server has answered. */
  state: 'unknown' | 'on' | 'refused';
  busy: boolean;
  /** Settles when the server has answered. */
  decided: PromiseWithResolvers<boolean>;
}

/**
 * `resources/subscribe` and `resources/unsubscribe` over a connection that many share: each resource once, however many follow it. A server
 * that keeps nothing between requests cannot tell of anything (PROTOCOL B).
 */
export class LegacyFeed implements Feed {
  readonly #options: LegacyFeedOptions;
  readonly #resources = new Map<string, Resource>();
  /** Resources whose state may not be the wanted one. */
  readonly #due = new Set<string>();
  readonly #over = new AbortController();
  #running = 0;
  /** Counts how often the server has forgotten everything. */
  #session = 0;

  constructor(options: LegacyFeedOptions) {
    this.#options = options;
    const { tools, prompts, resources } = options.connection.facts.capabilities;
    if ([tools, prompts, resources].some((capability) => (capability as { listChanged?: unknown } | undefined)?.listChanged === true))
      options.connection.openStream?.();
    this.changed();
  }

  changed(): void {
    const { connection, wanted } = this.#options;
    if (!connection.stateful || this.#over.signal.aborted) return;
    for (const uri of wanted.uris.keys()) if (!this.#resources.has(uri)) this.#add(uri);
    for (const uri of this.#resources.keys()) if (!wanted.uris.has(uri)) this.#due.add(uri);
    if (wanted.uris.size > 0) connection.openStream?.();
    this.#work();
  }

  async honoured({ uris }: Interest): Promise<Interest> {
    if (uris.length === 0) return NOTHING;
    const resources = uris.map((uri) => this.#resources.get(uri)).filter((resource) => resource !== undefined);
    const all = Promise.all(resources.map(({ decided }) => decided.promise));
    await settledWithin(all, this.#options.limits.listenMs, this.#over.signal);
    return { uris: resources.filter(({ state }) => state === 'on').map(({ uri }) => uri), taskIds: [] };
  }

  tells(uri: string): boolean {
    return this.#resources.get(uri)?.state === 'on';
  }

  forgotten(): void {
    this.#session++;
    for (const resource of this.#resources.values()) {
      resource.state = 'unknown';
      this.#due.add(resource.uri);
    }
    this.changed();
  }

  close(): void {
    this.#over.abort();
    this.#due.clear();
    for (const { decided } of this.#resources.values()) decided.resolve(false);
    this.#resources.clear();
  }

  #add(uri: string): void {
    this.#resources.set(uri, { uri, state: 'unknown', busy: false, decided: Promise.withResolvers() });
    this.#due.add(uri);
  }

  #work(): void {
    while (this.#running < PARALLEL) {
      const resource = this.#next();
      if (resource === undefined) return;
      this.#running++;
      void this.#settle(resource).then(() => {
        this.#running--;
        this.#work();
      });
    }
  }

  #next(): Resource | undefined {
    for (const uri of this.#due) {
      const resource = this.#resources.get(uri);
      if (resource?.busy === true) continue;
      this.#due.delete(uri);
      if (resource !== undefined) return resource;
    }
    return undefined;
  }

  /** Brings one resource into the wanted state, one request at a time: over HTTP two could overtake each other. */
  async #settle(resource: Resource): Promise<void> {
    const { uri } = resource;
    const { uris } = this.#options.wanted;
    const wanted = uris.has(uri);
    if (wanted && resource.state !== 'unknown') return;
    const session = this.#session;
    const was = resource.state;
    resource.busy = true;
    if (was !== 'unknown') resource.decided = Promise.withResolvers();
    resource.state = 'unknown';
    if (wanted) {
      const agreed = await this.#ask('resources/subscribe', uri);
      if (session === this.#session) resource.state = agreed ? 'on' : 'refused';
    } else if (was === 'on') await this.#ask('resources/unsubscribe', uri);
    resource.busy = false;
    if (this.#over.signal.aborted) return;
    // It may have been followed, or left, while the server answered.
    if (uris.has(uri) === (resource.state === 'unknown')) this.#due.add(uri);
    else {
      if (!uris.has(uri)) this.#resources.delete(uri);
      resource.decided.resolve(resource.state === 'on');
    }
  }

  async #ask(method: string, uri: string): Promise<boolean> {
    const { connection, limits } = this.#options;
    const { signal } = this.#over;
    const reply = await connection.exchange(ownExchange({ method, params: { uri }, timeoutMs: limits.connectMs, signal }));
    return reply.kind === 'response' && reply.result !== undefined;
  }
}
