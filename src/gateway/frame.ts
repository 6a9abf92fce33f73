import type { Call, CallEvent, ClientFacts, MirrorHeaders, Outcome, RequestMessage, Target } from '../protocol/index.ts';
import type { CallRecord, Recorder } from '../observability/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Principal } from '../security/index.ts';
import type { BoundedCount, Clock } from '../shared/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { ExposedTool, Views } from './view.ts';

/** Kinds of call: the columns of the pipeline. */
export type Kind = 'call' | 'list' | 'server';

/** What the steps work with; one per gateway. */
export interface Services {
  readonly registry: Registry;
  readonly views: Views;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly inFlight: BoundedCount;
  readonly target: (server: string) => Target | undefined;
  readonly settings: GatewaySettings;
}

export interface GatewaySettings {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** Tools per page of a list. */
  readonly pageSize: number;
  /** How long a list waits for servers that are still connecting for the first time. */
  readonly listWaitMs: number;
  /** Longest time of a call whose server sets none. */
  readonly deadlineMs: number;
}

/** One request on its way through the pipeline. Steps read what earlier steps wrote. */
export interface Frame {
  readonly kind: Kind;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly request: RequestMessage;
  /** Present on transports that mirror the body into headers. */
  readonly headers: MirrorHeaders | undefined;
  readonly signal: AbortSignal;
  readonly record: CallRecord;
  readonly onEvent: (event: CallEvent) => void;
  admitted: boolean;
  exposed: ExposedTool | undefined;
  call: Call | undefined;
  /** What `execute` came to; the steps behind it may replace it. */
  outcome: Outcome | undefined;
}

/** One step. What it returns ends the walk: the later steps before `record` do not run. */
export type Step = (frame: Frame, services: Services) => Outcome | undefined | Promise<Outcome | undefined>;
