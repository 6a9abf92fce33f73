import type { Failure } from '../protocol/index.ts';
import type { FailedReply } from './connection.ts';

type Executed = Failure['executed'];

const failed = (failure: Failure): FailedReply => ({ kind: 'failed', failure });

const UNKNOWN = 'The call may or may not have taken effect: look before you send it again.';
const ENDING = 'the gateway is shutting down';
const UNSENT = 'The call was not sent.';
/** How soon a call to a server that has changed its era is worth sending again. */
const TURNED_MS = 1_000;

/** Why a request of our own failed, for the log: without what only a caller has to know, as there was no call. */
export function ownProblem({ code, message, detail }: Failure): object {
  const said = message.replace(` ${UNKNOWN}`, '').replace(` ${UNSENT}`, '');
  return { code, message: said, ...(detail === undefined ? {} : { detail }) };
}

/** Why calls to one server fail, in public words that name it and say what to do. */
export class Failures {
  readonly server: string;
  readonly #maxBytes: number;
  #ending = false;

  constructor(server: string, maxBytes: number) {
    this.server = server;
    this.#maxBytes = maxBytes;
  }

  /** The gateway itself ends: from now on that is why there is no answer. */
  shutDown(): void {
    this.#ending = true;
  }

  /** The server cannot be reached, and the call never left. */
  unavailable(reason: string, detail?: unknown, retryAfterMs?: number): FailedReply {
    const why = this.#ending ? ENDING : reason;
    const message = `Server "${this.server}" is not available: ${why}. ${UNSENT} Try again later; its operator can run "stockpulse servers test ${this.server}".`;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(1, Math.round(retryAfterMs)) };
    return { ...failed({ code: 'upstream_unavailable', message, executed: 'no', detail, ...wait }), gone: true };
  }

  /** The server refused the call because it speaks another era than before. */
  turned(detail?: unknown): FailedReply {
    return { ...this.unavailable('it has changed the protocol revision that it speaks', detail, TURNED_MS), turned: true };
  }

  /** The connection ended after the call was sent. */
  outcomeUnknown(reason: string, detail?: unknown): FailedReply {
    const why = this.#ending ? `was disconnected because ${ENDING}` : reason;
    return failed({ code: 'outcome_unknown', message: `Server "${this.server}" ${why}. ${UNKNOWN}`, executed: 'unknown', detail });
  }

  /** The server refused or broke off, in a way that is no JSON-RPC error. */
  refused(reason: string, executed: Executed, detail?: unknown): FailedReply {
    const message = `Server "${this.server}" ${reason}.${executed === 'no' ? '' : ` ${UNKNOWN}`}`;
    return failed({ code: 'upstream_failed', message, executed, detail });
  }

  /** Without a time to try again: that would come to nothing until its operator has acted. */
  needsCredentials(status: number): FailedReply {
    const message = `Server "${this.server}" refused our credentials (HTTP ${status}). Its operator must set working ones under "headers" in its configuration.`;
    return { ...failed({ code: 'upstream_unavailable', message, executed: 'no', detail: { status } }), denied: status };
  }

  protocol(what: string, detail?: unknown): FailedReply {
    const message = `Server "${this.server}" ${what}. ${UNKNOWN}`;
    return failed({ code: 'upstream_protocol_error', message, executed: 'unknown', detail });
  }

  deadline(ms: number, executed: Executed): FailedReply {
    const message = `Server "${this.server}" did not answer within ${Math.round(ms)} ms. ${executed === 'no' ? UNSENT : UNKNOWN}`;
    return failed({ code: 'deadline_exceeded', message, executed });
  }

  canceled(executed: Executed): FailedReply {
    return failed({ code: 'canceled', message: `The call to server "${this.server}" was canceled.`, executed });
  }

  busy(reason: string, executed: Executed = 'no', retryAfterMs = 1_000): FailedReply {
    const message = `Server "${this.server}" is busy: ${reason}. Try again in a moment.`;
    return failed({ code: 'busy', message, executed, retryAfterMs });
  }

  tooLarge(maxBytes = this.#maxBytes): FailedReply {
    const message = `The result of server "${this.server}" is larger than ${maxBytes} bytes. Ask for less: a filter, a smaller range, one page.`;
    return failed({ code: 'result_too_large', message, executed: 'unknown' });
  }
}
