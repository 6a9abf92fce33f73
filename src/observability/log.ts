import { pino, type Logger } from 'pino';
import sonicBoom from 'sonic-boom';
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
const CLOSE_MS = 1000;
const FLUSH_BYTES = 65_536;
/** Lines that nobody reads are dropped beyond this. */
const MAX_BUFFERED = 8 * 1024 * 1024;

/** Structured JSON logs, one object per line. Everything passes the redactor. */
export class Log {
  readonly #logger: Logger;
  readonly #write: (line: string) => void;
  readonly #options: LogOptions;
  readonly #flush: (done?: () => void) => void;
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
      this.#write = options.write;
      this.#flush = (done) => done?.();
    } else {
      const destination = new sonicBoom.SonicBoom({
        fd: 2,
        sync: false,
        minLength: FLUSH_BYTES,
        maxWrite: 4 * FLUSH_BYTES,
        maxLength: MAX_BUFFERED,
      });
      destination.on('error', () => undefined);
      this.#logger = pino(settings, destination);
      this.#write = (line) => void destination.write(line);
      // Never flushSync, which pino's own destination calls at exit: while nobody reads a full pipe it holds up the whole process.
      this.#flush = (done) => {
        try {
          destination.flush(done);
        } catch {
          // The reader is gone: a log line is not worth a crash.
          done?.();
        }
      };
    }
    this.#timer = setInterval(() => this.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  event(level: LogLevel, event: string, fields: object = {}): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level]({ event, ...(this.#options.redactor.value(fields) as object) });
  }

  /** One line per call, made from its record. */
  calls(records: readonly CallRecord[]): void {
    if (!this.#options.calls) return;
    const time = new Date().toISOString();
    let lines = '';
    for (const record of records) {
      const level = record.outcome === 'failed' ? 'warn' : 'info';
      if (this.#logger.isLevelEnabled(level)) lines += callLine(record, level, time, this.#options.redactor);
    }
    // One write per batch: the destination measures its whole buffer at each.
    if (lines !== '') this.#write(lines);
  }

  /** Starts to write out what is buffered. */
  flush(): void {
    this.#flush();
  }

  /** Writes out what is buffered; gives up after a second if nobody reads it. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    this.#flush(resolve);
    await promise;
    clearTimeout(timer);
  }
}

/** Milliseconds with three decimals. Most are short, and numbers with a fraction are slow to write. */
function millis(ms: number): string {
  const micros = Math.round(ms * 1000);
  if (micros < 0 || micros >= MAX_SHORT) return String(micros / 1000);
  return (SHORT[micros] ??= String(micros / 1000));
}

const MAX_SHORT = 20_000;
const SHORT: (string | undefined)[] = Array.from({ length: MAX_SHORT });

/** The text of the last instant: many calls begin in the same millisecond. */
let instant = { at: NaN, text: '' };

function isoTime(at: number): string {
  if (instant.at !== at) instant = { at, text: new Date(at).toISOString() };
  return instant.text;
}

const MAX_QUOTED = 1000;
const quotedNames = new Map<string, string>();

/** A name as JSON text; the usual ones are remembered. */
function quoted(value: string): string {
  const known = quotedNames.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  if (quotedNames.size < MAX_QUOTED && value.length < 100) quotedNames.set(value, text);
  return text;
}

/** Members that many calls do not have; each with its leading comma. */
function rareMembers(record: CallRecord, redactor: Redactor): string {
  const { errorCode, traceId, notValidated, errorDetail, sideEffect, otherMethod, inputRounds, streamed, cache } = record;
  let text = '';
  if (otherMethod !== undefined) text += `,"otherMethod":${quoted(redactor.name(otherMethod))}`;
  if (inputRounds !== undefined) text += `,"inputRounds":${inputRounds}`;
  if (cache !== undefined) text += `,"cache":"${cache.state}","cacheAgeMs":${Math.round(cache.ageMs)}`;
  if (streamed === true) text += ',"streamed":true';
  if (sideEffect !== undefined) text += `,"sideEffect":"${sideEffect}"`;
  if (errorCode !== undefined) text += `,"errorCode":${quoted(errorCode)}`;
  if (traceId !== undefined) text += `,"traceId":"${traceId}"`;
  if (notValidated.length > 0) text += `,"notValidated":${JSON.stringify(notValidated.map((reason) => redactor.text(reason)))}`;
  if (errorDetail !== undefined) text += `,"errorDetail":${JSON.stringify(redactor.value(errorDetail)) ?? 'null'}`;
  return text;
}

function stepMembers({ stepNames, stepMs }: CallRecord): string {
  let text = '';
  for (let i = 0; i < stepMs.length; i++) text += `${i === 0 ? '' : ','}"${stepNames[i]}":${millis(stepMs[i] as number)}`;
  return text;
}

function attemptItems(attempts: CallRecord['attempts']): string {
  return attempts
    .map(
      ({ server, via, durationMs, outcome }) =>
        `{"server":"${server}","via":"${via}","durationMs":${millis(durationMs)},"outcome":${quoted(outcome)}}`,
    )
    .join(',');
}

/**
 * The line of one call, put together by hand because there is one per call. What clients or upstreams chose is redacted and quoted; the
 * rest are names of ours: ids, methods and server names hold nothing that JSON would escape.
 */
function callLine(record: CallRecord, level: LogLevel, time: string, redactor: Redactor): string {
  const { id, face, endpoint, revision, method, principal, client, clientName, server, tool, outcome, bytesIn, bytesOut } = record;
  const tools = tool === undefined ? '' : `,"tool":${quoted(redactor.name(tool))}`;
  const names = clientName === undefined ? '' : `,"clientName":${quoted(redactor.name(clientName))}`;
  const head = `{"level":"${level}","time":"${time}","event":"call","id":"${id}","face":"${face}","endpoint":"${endpoint}"`;
  const who = `,"revision":"${revision}","method":${quoted(method)},"principal":"${principal}","client":${quoted(client)}${names}`;
  const what = `,"server":"${server}"${tools},"outcome":"${outcome}"${rareMembers(record, redactor)}`;
  const when = `,"at":"${isoTime(record.startedAt)}","durationMs":${millis(record.durationMs)},"stepMs":{${stepMembers(record)}}`;
  return `${head}${who}${what},"bytesIn":${bytesIn},"bytesOut":${bytesOut}${when},"attempts":[${attemptItems(record.attempts)}]}\n`;
}
