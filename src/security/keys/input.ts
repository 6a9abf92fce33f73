import { MAX_OVERLAP_SECONDS } from '../../contract/index.ts';
import { AppError } from '../../shared/index.ts';
import { MCP_SCOPES, SCOPES, type Principal, type Scope } from '../principal.ts';

const DAY_MS = 86_400_000;
const MAX_DAYS = 3650;
const NAME = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,64}$/u;

/** What a new key shall be. */
export interface NewKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Fractions are fine; without it the key does not expire. */
  readonly expiresInDays?: number | undefined;
}

/** Who asks for a change, and the approver who stands beside it: verified from a key of its own. */
export interface KeyActor {
  readonly principal: Principal;
  readonly approver?: Principal | undefined;
}

const invalid = (code: string, message: string, field: string): AppError => new AppError(code, message, { detail: { field } });

/** The name without outer spaces; refuses (`invalid_request`) what cannot stand in one line of a list. */
export function checkName(name: string): string {
  const trimmed = name.trim();
  if (NAME.test(trimmed)) return trimmed;
  throw invalid('invalid_request', 'The name of a key is 1 to 64 characters in one line.', 'name');
}

/** The scopes in their own order, each once. Refuses `unknown_scope`, and `scopes_not_combinable` for a key of agents and people at once. */
export function checkScopes(scopes: readonly string[]): Scope[] {
  const unknown = scopes.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown.length > 0)
    throw invalid('unknown_scope', `Unknown scope ${unknown.slice(0, 3).map(shown).join(', ')}; use: ${SCOPES.join(', ')}.`, 'scopes');
  const wanted = SCOPES.filter((scope) => scopes.includes(scope));
  if (wanted.length === 0) throw invalid('invalid_request', `A key needs at least one scope of: ${SCOPES.join(', ')}.`, 'scopes');
  const agents = wanted.filter((scope) => MCP_SCOPES.includes(scope));
  const peoples = wanted.filter((scope) => !MCP_SCOPES.includes(scope));
  if (agents.length > 0 && peoples.length > 0)
    throw invalid(
      'scopes_not_combinable',
      `A key with ${peoples.join(' or ')} must not call MCP: make one key with ${agents.join(', ')} and another with ${peoples.join(', ')}.`,
      'scopes',
    );
  return wanted;
}

const shown = (scope: string): string => JSON.stringify(scope.slice(0, 40));

/** When a key made at `now` ends, or null. Refuses (`invalid_request`) what is not a positive number of days up to ten years. */
export function checkExpiry(days: number | undefined, now: number): Date | null {
  if (days === undefined) return null;
  if (days > 0 && days <= MAX_DAYS) return new Date(now + days * DAY_MS);
  throw invalid('invalid_request', `expiresInDays must be more than 0 and at most ${MAX_DAYS}.`, 'expiresInDays');
}

/** Milliseconds that a rotated key still works. */
export function checkOverlap(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_OVERLAP_SECONDS) return seconds * 1000;
  throw invalid('invalid_request', `overlapSeconds must be a whole number from 0 to ${MAX_OVERLAP_SECONDS} (30 days).`, 'overlapSeconds');
}

/** Refuses (`approver_required`) what only an approver may hand out, unless one stands beside the caller (DESIGN 8). */
export function checkApprover(scopes: readonly string[], actor: KeyActor): void {
  if (!scopes.includes('approve') || actor.approver?.scopes.has('approve') === true) return;
  throw new AppError(
    'approver_required',
    'A key with the scope approve is handed out by an approver: repeat the request with your approver key (CLI: --approver-key-file; HTTP: header x-stockpulse-approver).',
  );
}
