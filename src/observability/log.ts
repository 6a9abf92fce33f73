import { pino, type Logger } from 'pino';
import type { CallRecord } from './call-record.ts';
import type { Redactor } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel | 'silent';
  /** One line per call. */
  readonly calls: boolean;
  readonly redactor: Redactor;
  /** Where lines go; standard error by default, because standard output belongs to the stdio transport and to the CLI. */
  readonly write?: (line: string) => void;
}

const FLUSH_MS = 500;
const FLUSH_BYTES = 8192;

/** Structured JSON logs, one object per line. Everything passes the redactor. */
export class Log {
  readonly #logger: Logger;
  readonly #options: LogOptions;
  readonly #flush: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(options: LogOptions) {
    this.#options = options;
    const settings = {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    if (options.write !== undefined) {
      this.#logger = pino(settings, { write: options.write });
      this.#flush = () => undefined;
    } else {
      const destination = pino.destination({ fd: 2, sync: false, minLength: FLUSH_BYTES });
      destination.on('error', () => undefined);
      this.#logger = pino(settings, destination);
      this.#flush = () => {
        try {
          destination.flushSync();
        } catch {
          // Not open yet, or the reader is gone: a log line is not worth a crash.
        }
      };
    }
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS);
    this.#timer.unref();
  }

  event(level: LogLevel, event: string, fields: object = {}): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level]({ event, ...(this.#options.redactor.value(fields) as object) });
  }

  /** One line per call, made from its record. */
  calls(records: readonly CallRecord[]): void {
    if (!this.#options.calls) return;
    const { redactor } = this.#options;
    for (const record of records) {
      const level = record.outcome === 'failed' ? 'warn' : 'info';
      if (this.#logger.isLevelEnabled(level)) this.#logger[level](callLine(record, redactor));
    }
  }

  /** Writes out what is buffered. */
  flush(): void {
    this.#flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#flush();
  }
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

function callLine(record: CallRecord, redactor: Redactor): object {
  const { steps, errorDetail, startedAt, attempts, durationMs, notValidated, clientName, traceId, errorCode, sideEffect, tool, ...rest } =
    record;
  return {
    event: 'call',
    ...rest,
    ...(tool === undefined ? {} : { tool: redactor.text(tool) }),
    ...(sideEffect === undefined ? {} : { sideEffect }),
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(clientName === undefined ? {} : { clientName: redactor.text(clientName) }),
    at: new Date(startedAt).toISOString(),
    durationMs: round(durationMs),
    stepMs: Object.fromEntries(steps.map(({ name, ms }) => [name, round(ms)])),
    ...(attempts.length === 0 ? {} : { attempts: attempts.map((attempt) => ({ ...attempt, durationMs: round(attempt.durationMs) })) }),
    ...(notValidated.length === 0 ? {} : { notValidated: notValidated.map((reason) => redactor.text(reason)) }),
    ...(errorDetail === undefined ? {} : { errorDetail: redactor.value(errorDetail) }),
  };
}
