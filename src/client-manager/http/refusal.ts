import { isModernCode, RPC, type Era } from '../../protocol/index.ts';
import type { Exchange } from '../connection.ts';
import type { AskEra } from '../eras.ts';
import type { Limits } from '../limits.ts';
import { settledWithin } from '../waiting.ts';
import type { HttpReply } from './exchange.ts';

/** Refusals that have nothing to do with the era: of our credentials, of the size, and for the time being. */
const OTHERWISE: ReadonlySet<number> = new Set([401, 403, 408, 413, 414, 429, 431]);
/** Errors that a modern server gives under such statuses to requests that are not right (S26 Streamable HTTP, "Server Validation"). */
const ORDINARY: ReadonlySet<number> = new Set([RPC.methodNotFound, RPC.invalidParams]);
const NEVER = new AbortController().signal;

/** True for an answer that looks as if a server of the other era had given it, before it did anything. */
export function looksForeign({ status, response }: HttpReply, era: Era): boolean {
  if (status < 400 || status > 499 || OTHERWISE.has(status) || response?.result !== undefined) return false;
  const code = response?.error?.code;
  return era === 'legacy' || code === undefined || !(isModernCode(code) || ORDINARY.has(code));
}

export interface AskerOptions {
  readonly limits: Limits;
  readonly onRefused?: AskEra | undefined;
}

/** Whether a server that gave such an answer speaks another era by now; false if that is not known soon. Never rejects. */
export async function hasTurned(era: Era, { expiresAt, signal }: Exchange, { limits, onRefused }: AskerOptions): Promise<boolean> {
  if (onRefused === undefined) return false;
  const waitMs = Math.min(limits.waitMs, expiresAt - performance.now());
  return (await settledWithin(onRefused(era, 'strange'), waitMs, signal ?? NEVER)) === true;
}
