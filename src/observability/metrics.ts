import { collectDefaultMetrics, Registry as PromRegistry, type Metric } from 'prom-client';
import type { Caps } from '../shared/index.ts';
import type { CallRecord } from './call-record.ts';
import { Counter, Histogram, ReadGauge, type Labels } from './families.ts';

const CALL_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const STEP_BOUNDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

export interface MetricsOptions {
  readonly caps: Caps;
  /** Adds the process's own metrics (CPU, memory, event loop, garbage collection). */
  readonly process: boolean;
}

/** Prometheus metrics, made from call records and from gauges that are read when scraped. */
export class Metrics {
  readonly #registry = new PromRegistry();
  readonly #calls = new Counter('stockpulse_calls_total', 'Calls by outcome.', ['method', 'server', 'tool', 'outcome']);
  readonly #errors = new Counter('stockpulse_call_errors_total', 'Calls that did not succeed, by error code.', [
    'method',
    'server',
    'code',
  ]);
  readonly #durations = new Histogram('stockpulse_call_duration_seconds', 'Duration of calls.', ['method', 'server'], CALL_BOUNDS);
  readonly #steps = new Histogram('stockpulse_step_duration_seconds', 'Duration of the pipeline steps of calls.', ['step'], STEP_BOUNDS);
  readonly #attempts = new Counter('stockpulse_attempts_total', 'Legs of calls to servers.', ['server', 'via', 'outcome']);
  readonly #bytes = new Counter('stockpulse_call_bytes_total', 'Bytes of calls.', ['direction']);

  constructor(options: MetricsOptions) {
    for (const family of [this.#calls, this.#errors, this.#durations, this.#steps, this.#attempts, this.#bytes]) this.#register(family);
    const { caps } = options;
    this.gauge('stockpulse_bounded_size', 'Entries of each bounded collection.', () =>
      caps.list().map((b) => ({ labels: { name: b.name }, value: b.size })),
    );
    this.gauge('stockpulse_bounded_cap', 'Cap of each bounded collection.', () =>
      caps.list().map((b) => ({ labels: { name: b.name }, value: b.cap })),
    );
    const refused = () => caps.list().map((b) => ({ labels: { name: b.name }, value: b.refused }));
    this.#register(
      new ReadGauge('stockpulse_bounded_refused_total', 'Additions refused because a collection was full.', refused, 'counter'),
    );
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  /** A gauge that is read at each scrape. */
  gauge(name: string, help: string, read: () => readonly { labels: Labels; value: number }[]): void {
    this.#register(new ReadGauge(name, help, read));
  }

  calls(records: readonly CallRecord[]): void {
    let bytesIn = 0;
    let bytesOut = 0;
    for (const record of records) {
      const { method, server, stepNames, stepMs } = record;
      this.#calls.add([method, server, record.tool ?? '', record.outcome]);
      if (record.errorCode !== undefined) this.#errors.add([method, server, record.errorCode]);
      this.#durations.observe([method, server], record.durationMs / 1000);
      for (let i = 0; i < stepMs.length; i++) this.#steps.observeOne(stepNames[i] as string, (stepMs[i] as number) / 1000);
      for (const attempt of record.attempts) this.#attempts.add([attempt.server, attempt.via, attempt.outcome]);
      bytesIn += record.bytesIn;
      bytesOut += record.bytesOut;
    }
    this.#bytes.add(['in'], bytesIn);
    this.#bytes.add(['out'], bytesOut);
  }

  /** The metrics in the Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #register(family: { name: string; get: () => Promise<unknown> }): void {
    // prom-client renders anything with a name and a get(); its type only knows its own classes.
    this.#registry.registerMetric(family as unknown as Metric);
  }
}
