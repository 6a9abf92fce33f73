import { createHash } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import type { Call, CallContext, Outcome, Target } from '../../protocol/index.ts';
import type { Catalogue, ServerState } from '../../registry/index.ts';
import { messageOf, type Caps, type Clock } from '../../shared/index.ts';
import { Backoff, type BackoffOptions } from '../backoff.ts';
import { outcomeOfReply } from '../calls.ts';
import { ConnectError } from '../connection.ts';
import type { Emit } from '../events.ts';
import { Failures } from '../failures.ts';
import { apiCatalogue } from './catalogue.ts';
import { apiClient, type ApiClient } from './fetch.ts';
import { fetchDocument, isUrl, readConfigured } from './load.ts';
import type { ApiCredentials } from './request.ts';
import { ApiTarget, MAX_ANSWER_BYTES } from './target.ts';
import type { ApiConfig, ApiReading } from './types.ts';

export interface ApiServerOptions {
  readonly config: ApiConfig;
  readonly caps: Caps;
  readonly clock: Clock;
  /** Milliseconds that loading and reading the document may take. */
  readonly connectMs: number;
  readonly backoff: BackoffOptions;
  /** Milliseconds after which a document that has a URL is read again. */
  readonly refreshMs: number;
  /** Credentials besides the configured headers. */
  readonly auth?: (() => Promise<ApiCredentials>) | undefined;
  /** The guard against addresses that may not be reached. */
  readonly lookup?: LookupFunction | undefined;
  readonly check?: ((url: string) => unknown) | undefined;
  readonly emit: Emit;
  readonly onState: (state: ServerState) => void;
  /** The document was read: this is what the server shows now. */
  readonly onCatalogue: (catalogue: Catalogue) => void;
}

/** An HTTP API as an upstream: loads its document, keeps it up to date, and carries out calls. */
export class ApiServer implements Target {
  readonly #options: ApiServerOptions;
  readonly #client: ApiClient;
  readonly #failures: Failures;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #target: ApiTarget | undefined;
  #state: ServerState = { state: 'connecting' };
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<void> | undefined;
  #loads = 0;
  /** Of the document that is in use. */
  #digest: string | undefined;

  constructor(options: ApiServerOptions) {
    const { config, connectMs, lookup, check } = options;
    this.#options = options;
    this.#client = apiClient({ connections: config.maxInFlight, connectMs, lookup, check });
    this.#failures = new Failures(config.name, MAX_ANSWER_BYTES);
    this.#backoff = new Backoff(options.backoff);
  }

  get stats(): { name: string; state: ServerState['state']; inFlight: number; restarts: number } {
    const { name } = this.#options.config;
    return { name, state: this.#state.state, inFlight: this.#target?.inFlight ?? 0, restarts: Math.max(0, this.#loads - 1) };
  }

  /** Reads the document, and again until it can be read. Resolves when the first attempt has ended; never rejects. */
  start(): Promise<void> {
    return this.#load();
  }

  /** Reads the document again now. Calls in flight go on. */
  restart(): Promise<void> {
    return this.#load();
  }

  /** Calls in flight end at once. */
  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new Error('the server is stopped'));
    clearTimeout(this.#timer);
    await this.#client.close();
    await this.#loading;
    this.#target?.stop();
    this.#set({ state: 'stopped' });
  }

  handle(call: Call, context: CallContext): Promise<Outcome> {
    if (this.#target !== undefined && !this.#stop.signal.aborted) return this.#target.handle(call, context);
    const { state } = this;
    const reason = state.state === 'backing_off' ? state.reason : 'its OpenAPI document is not read yet';
    return Promise.resolve(outcomeOfReply(this.#failures.unavailable(reason)));
  }

  get state(): ServerState {
    return this.#state;
  }

  #load(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#loading ??= this.#attempt().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #attempt(): Promise<void> {
    const begun = performance.now();
    try {
      const reading = await this.#read();
      if (this.#stop.signal.aborted) return;
      this.#loads++;
      this.#backoff.reset();
      if (reading !== undefined) this.#show(reading, performance.now() - begun);
      if (isUrl(this.#options.config.openapi)) this.#later(this.#options.refreshMs);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#failed(error);
    }
  }

  #show(reading: ApiReading, durationMs: number): void {
    const { config, clock, emit, onCatalogue } = this.#options;
    const { facts, operations, warnings } = reading;
    this.#use(reading);
    onCatalogue(apiCatalogue(reading, config.scopes));
    if (this.#state.state !== 'ready') this.#set({ state: 'ready', since: clock.now() });
    emit({ kind: 'connected', via: 'openapi', revision: facts.openapi, eras: ['modern', 'legacy'], tools: operations.length, durationMs });
    if (warnings.length > 0) emit({ kind: 'tools_left_out', reasons: warnings.slice(0, 50) });
  }

  /** The last reading stays in use: a document that cannot be read now says nothing about the API. */
  #failed(error: unknown): void {
    const { clock, emit } = this.#options;
    const reason = error instanceof ConnectError ? error.reason : 'its OpenAPI document could not be read';
    const retryInMs = this.#backoff.next();
    if (this.#target !== undefined) emit({ kind: 'refresh_failed', reason });
    else {
      this.#set({ state: 'backing_off', reason, retryAt: clock.now() + retryInMs });
      emit({ kind: 'connect_failed', reason, detail: messageOf(error), retryInMs });
    }
    this.#later(retryInMs);
  }

  /** Undefined if the document is the one that was read before. */
  async #read(): Promise<ApiReading | undefined> {
    const { config, connectMs } = this.#options;
    const text = await fetchDocument(config, { fetch: this.#client.fetch, connectMs, signal: this.#stop.signal });
    const digest = createHash('sha256').update(text).digest('base64');
    if (digest === this.#digest) return undefined;
    const reading = await readConfigured(text, config);
    this.#digest = digest;
    return reading;
  }

  #use(reading: ApiReading): void {
    const { config, caps } = this.#options;
    if (this.#target !== undefined) return this.#target.use(reading);
    const auth = (): Promise<ApiCredentials> => this.#credentials();
    this.#target = new ApiTarget({ ...config, reading, caps, fetch: this.#client.fetch, auth });
  }

  async #credentials(): Promise<ApiCredentials> {
    const more = (await this.#options.auth?.()) ?? {};
    return { headers: { ...this.#options.config.headers, ...more.headers }, query: more.query };
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => void this.#load(), ms);
    this.#timer.unref();
  }

  #set(state: ServerState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}
