import { noticeText, type CallerSession, type ClientFacts, type JsonText } from '../../protocol/index.ts';
import type { Principal } from '../../security/index.ts';
import type { Hub, Watch } from '../client-port.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Outlet } from './asks.ts';

export interface HearingOptions {
  readonly hub: Hub;
  readonly endpoint: Endpoint;
  readonly client: ClientFacts;
  /** Of a client that can be asked. */
  readonly session: CallerSession | undefined;
  /** For whom to watch now. */
  readonly principal: () => Principal;
}

/** Resources that one session may subscribe to, and the characters of their URIs together. */
const MAX_URIS = 1000;
const MAX_URI_CHARS = 256 * 1024;

/** What a legacy session hears of its endpoint: list changes, and the resources that it subscribed to. Watches only while somebody listens. */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #uris = new Set<string>();
  #chars = 0;
  #outlet: Outlet | undefined;
  #watch: Watch | undefined;
  #stale = false;

  constructor(options: HearingOptions) {
    this.#options = options;
  }

  /** False at the cap. */
  subscribe(uri: string): boolean {
    if (this.#uris.has(uri)) return true;
    if (this.#uris.size >= MAX_URIS || this.#chars + uri.length > MAX_URI_CHARS) return false;
    this.#uris.add(uri);
    this.#chars += uri.length;
    this.#changed();
    return true;
  }

  unsubscribe(uri: string): void {
    if (!this.#uris.delete(uri)) return;
    this.#chars -= uri.length;
    this.#changed();
  }

  /** Who hears from now on; undefined for nobody. */
  through(outlet: Outlet | undefined): void {
    if (outlet === this.#outlet) return;
    const began = this.#outlet === undefined;
    this.#outlet = outlet;
    if (outlet === undefined) this.#close();
    else if (began) this.#renew();
  }

  get heard(): boolean {
    return this.#outlet !== undefined;
  }

  /** Where the client would get a message that belongs to no request, now. */
  get outlet(): Outlet | undefined {
    return this.#outlet?.listening === false ? undefined : this.#outlet;
  }

  /** Resolves once the servers behind know what is subscribed now, or after the watch's own deadline (PROTOCOL C8). */
  async settled(): Promise<void> {
    if (this.#stale) this.#renew();
    await this.#watch?.honoured;
  }

  /** True once the server behind has said that it will not tell of this resource: the subscription is taken back. */
  refused(uri: string): boolean {
    if (!this.#uris.has(uri) || this.#watch?.refuses(uri) !== true) return false;
    this.unsubscribe(uri);
    return true;
  }

  /** Tries again to watch where the cap of watches prevented it. */
  retry(): void {
    if (this.#outlet !== undefined && this.#watch === undefined) this.#renew();
  }

  /** Several changes in one turn make one new watch. */
  #changed(): void {
    if (this.#outlet === undefined || this.#stale) return;
    this.#stale = true;
    setImmediate(() => {
      if (this.#stale) this.#renew();
    });
  }

  /** The new watch is there before the old one goes, so that servers are not unsubscribed in between. */
  #renew(): void {
    this.#stale = false;
    if (this.#outlet === undefined) return;
    const { hub, endpoint, client, session, principal } = this.#options;
    const old = this.#watch;
    this.#watch = hub.watch({
      endpoint,
      client,
      session,
      principal: principal(),
      filter: { tools: true, prompts: true, resources: true, uris: [...this.#uris], taskIds: [] },
      replaces: old,
      onNotice: this.#notice,
    });
    old?.close();
  }

  #close(): void {
    this.#stale = false;
    this.#watch?.close();
    this.#watch = undefined;
  }

  readonly #notice = (method: string, params: JsonText | undefined): void => {
    this.#outlet?.send(noticeText(undefined, method, params), true);
  };
}
