/** What the tests of leases share: LegacyCalls over the fixture servers, and calls of clients that can be asked. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeMessage,
  jsonText,
  type AskClient,
  type Call,
  type CallEvent,
  type CallerSession,
  type JsonObject,
  type LogLevel,
  type Outcome,
  type Revision,
  type SessionWatcher,
} from '../../protocol/index.ts';
import { BoundedCount, Caps, systemClock } from '../../shared/index.ts';
import { openConnection } from '../connect.ts';
import { Failures } from '../failures.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { ChildRecords } from '../stdio/records.ts';
import { Follower } from '../subscriptions/follower.ts';
import type { UpstreamConfig } from '../types.ts';
import { LegacyCalls, type LegacyCallsOptions } from './legacy-calls.ts';

export interface RunOptions {
  readonly principal?: string;
  readonly session?: CallerSession;
  /** Of the client; the modern one unless it is given. */
  readonly revision?: Revision;
  readonly offers?: JsonObject;
  readonly ask?: AskClient;
  readonly tool?: string;
  readonly logLevel?: LogLevel;
  readonly progress?: boolean;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** A retry: the plain state, and answers by key. */
  readonly state?: string;
  readonly answers?: JsonObject;
}

export interface Run {
  readonly outcome: Promise<Outcome>;
  readonly events: CallEvent[];
  readonly abort: () => void;
}

export interface LeasesKit {
  readonly calls: LegacyCalls;
  /** Connections that were opened, by what they offered. */
  readonly opened: JsonObject[];
  /** Notifications that belong to no call. */
  readonly others: string[];
  /** Calls the tool `converse` with these steps, or another one with these arguments; with `state` it is a retry. */
  run(args: readonly JsonObject[] | JsonObject, options?: RunOptions): Run;
  outcome(args: readonly JsonObject[] | JsonObject, options?: RunOptions): Promise<Outcome>;
  /** The gauge of this name, without the server's. */
  gauge(name: string): number | undefined;
  end(): Promise<void>;
}

/** A legacy client's session as the gateway has it. */
export class TestSession implements CallerSession {
  /** How the client is asked apart from its requests. */
  ask: AskClient | undefined;
  readonly watchers = new Set<SessionWatcher>();

  watch(watcher: SessionWatcher): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  rootsChanged(): void {
    for (const watcher of this.watchers) watcher.rootsChanged();
  }

  end(): void {
    for (const watcher of this.watchers) watcher.ended();
  }
}

export const ALL_OFFERS: JsonObject = { elicitation: {}, sampling: {}, roots: {} };

export async function leasesKit(
  config: UpstreamConfig,
  limits: Partial<Limits> = {},
  more: Partial<LegacyCallsOptions> = {},
): Promise<LeasesKit> {
  const dir = await mkdtemp(join(tmpdir(), 'leases-'));
  const own: Limits = { ...DEFAULT_LIMITS, closeMs: 300, termMs: 300, leaseGraceMs: 50, ...limits };
  const gateway = { name: 'gateway', version: '1.2.3' };
  const failures = new Failures(config.name, own.frameBytes);
  const caps = new Caps();
  const opened: JsonObject[] = [];
  const others: string[] = [];
  const shared = { config, limits: own, failures, gateway, emit: () => undefined };
  const followed = new BoundedCount('followed', 100, caps);
  const calls = new LegacyCalls({
    ...shared,
    server: config.name,
    caps,
    clock: systemClock,
    open: (offers, signal) => {
      opened.push(offers);
      return openConnection({ ...shared, records: new ChildRecords(dir), purpose: 'serve', era: 'legacy', offers }, signal);
    },
    onNotification: (method) => others.push(method),
    newFollower: () => new Follower({ ...shared, followed, onListChanged: () => undefined, onGap: () => undefined }),
    ...more,
  });
  const run: LeasesKit['run'] = (args, options = {}) => {
    const events: CallEvent[] = [];
    const abort = new AbortController();
    const signal = options.signal ?? abort.signal;
    const call = callOf(args, options);
    const context = { signal, onEvent: (event: CallEvent) => events.push(event), ask: options.ask };
    const outcome =
      call.state === undefined ? calls.handle(call, context, performance.now() + call.deadlineMs) : calls.resume(call, context);
    return { outcome, events, abort: () => abort.abort() };
  };
  return {
    calls,
    opened,
    others,
    run,
    outcome: (args, options) => run(args, options).outcome,
    gauge: (name) => caps.list().find((gauge) => gauge.name === `${name}:${config.name}`)?.size,
    end: async () => {
      await calls.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function callOf(args: readonly JsonObject[] | JsonObject, options: RunOptions): Call {
  const name = options.tool ?? 'converse';
  const params = { name, arguments: Array.isArray(args) ? { steps: args } : args };
  const message = decodeMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  if (message.kind !== 'request') throw new Error('bad params');
  const offers = options.offers ?? ALL_OFFERS;
  return {
    method: 'tools/call',
    params: message.params,
    subject: undefined,
    sideEffect: 'write',
    edits: [],
    headerParams: [],
    client: { revision: options.revision ?? '2026-07-28', info: undefined, capabilities: offers },
    caller: { principal: options.principal ?? 'ann', scopes: new Set(), session: options.session },
    offers: jsonText(offers),
    state: options.state,
    answers: options.answers === undefined ? undefined : jsonText(options.answers),
    logLevel: options.logLevel,
    progress: options.progress ?? false,
    deadlineMs: options.deadlineMs ?? 15_000,
  };
}

export const FORM: JsonObject = { message: 'Sure?', requestedSchema: { type: 'object', properties: {} } };
export const SAMPLE: JsonObject = { messages: [], maxTokens: 10 };

export const elicit = (id?: string | number, more: JsonObject = {}): JsonObject => ({
  method: 'elicitation/create',
  params: FORM,
  ...(id === undefined ? {} : { id }),
  ...more,
});

export const accept = (value: unknown): JsonObject => ({ action: 'accept', content: { value } });

/** What an `input_required` outcome asks, and the state to come back with. */
export function asked(outcome: Outcome): { readonly keys: string[]; readonly state: string; readonly requests: JsonObject } {
  if (outcome.kind !== 'input_required') throw new Error(`not input_required but ${JSON.stringify(outcome)}`);
  const { inputRequests, requestState } = outcome.result.value as { inputRequests: JsonObject; requestState: string };
  return { keys: Object.keys(inputRequests), state: requestState, requests: inputRequests };
}

/** What `converse` was answered to its questions, or a short word for any other outcome. */
export function said(outcome: Outcome): unknown {
  if (outcome.kind === 'failed') return `failed ${outcome.failure.code} ${outcome.failure.executed}`;
  if (outcome.kind === 'error') return `error ${outcome.error.code}`;
  if (outcome.kind !== 'complete') return outcome.kind;
  const content = outcome.result.value.content as { text: string }[];
  return JSON.parse(content[0]?.text ?? 'null');
}

/** Values of the notifications that a client got, in order. */
export const heard = (events: readonly CallEvent[]): unknown[] =>
  events.flatMap((event) => (event.kind === 'notification' ? [event.params?.value.progress ?? event.params?.value.data] : []));
