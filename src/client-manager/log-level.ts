import { isModernRevision, LOG_LEVELS, reaches, type Call, type LogLevel } from '../protocol/index.ts';
import type { Connection } from './connection.ts';
import { ownExchange } from './own-requests.ts';

const TIMEOUT_MS = 5_000;
/** What clients are usually told that did not say what they want to hear. */
const UNASKED: LogLevel = 'info';

/**
 * The call as it goes to a modern server, which tells nothing unless it is asked. For a legacy client that set no level the choice is the
 * server's (S25 logging), so it is made here. Only where log messages come on the call's own stream: on a channel that calls share, one that asks
 * for them takes them from another (docs/decisions/0009-log-messages-on-shared-channels.md).
 */
export function withLogs(call: Call): Call {
  return call.logLevel !== undefined || isModernRevision(call.client.revision) ? call : { ...call, logLevel: UNASKED };
}

/** True if the call's client is told a log message of this level that is the call's own. */
export function hears({ logLevel, client }: Call, level: unknown): boolean {
  return logLevel === undefined ? !isModernRevision(client.revision) : reaches(level, logLevel);
}

/**
 * The log level of a legacy HTTP connection that many share: the lowest that anybody wanted (PROTOCOL C12). What comes on a call's own
 * stream is filtered per request. Other shared connections get none: their log messages could not be told apart (PROTOCOL A2).
 */
export class SharedLogLevel {
  #connection: Connection | undefined;
  #lowest = Infinity;
  #setting: Promise<unknown> = Promise.resolve();

  /** Makes the server log at `wanted` and above before the call goes out; undefined if there is nothing to wait for. Never rejects. */
  ensure(connection: Connection, wanted: LogLevel): Promise<unknown> | undefined {
    if (connection.via !== 'http-legacy' || connection.facts.capabilities.logging === undefined) return undefined;
    if (this.#connection !== connection) this.#start(connection);
    const level = LOG_LEVELS.indexOf(wanted);
    if (level >= this.#lowest) return this.#setting;
    this.#lowest = level;
    const exchange = ownExchange({ method: 'logging/setLevel', params: { level: wanted }, timeoutMs: TIMEOUT_MS, signal: undefined });
    this.#setting = connection.exchange(exchange);
    return this.#setting;
  }

  /** The server has forgotten what was set. */
  forget(): void {
    this.#connection = undefined;
  }

  #start(connection: Connection): void {
    this.#connection = connection;
    this.#lowest = Infinity;
    this.#setting = Promise.resolve();
  }
}
