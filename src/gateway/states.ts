import { createHash } from 'node:crypto';
import { canonicalJson, type Params } from '../protocol/index.ts';
import type { Sealer } from '../security/index.ts';

/** What a sealed `requestState` is bound to (PROTOCOL C4): elsewhere it opens for nobody. */
export interface StateBinding {
  readonly server: string;
  /** Id of the principal: user and client, not the token. */
  readonly principal: string;
  readonly endpoint: string;
  readonly method: string;
  /** `paramsDigest` of the request. */
  readonly digest: string;
}

const PURPOSE = 'state';
/** How long a client may take for its answers. */
export const STATE_LIFETIME_MS = 15 * 60_000;

/** Members of params that differ between the rounds of one request (S26 mrtr). */
const PER_ROUND: ReadonlySet<string> = new Set(['_meta', 'inputResponses', 'requestState']);

/** A digest of what a request asks for: the same however its client orders members and writes numbers. */
export function paramsDigest(params: Params | undefined): string {
  const hash = createHash('sha256');
  const value = params?.value ?? {};
  for (const key of Object.keys(value).sort()) {
    if (!PER_ROUND.has(key)) hash.update(`${JSON.stringify(key)}:${canonicalJson(value[key])},`);
  }
  return hash.digest('base64url');
}

const bindingText = ({ server, principal, endpoint, method, digest }: StateBinding): string =>
  JSON.stringify([server, principal, endpoint, method, digest]);

/** An upstream's state as a client may hold it; a different text each time. `now` is wall time in milliseconds. */
export function sealState(sealer: Sealer, state: string, binding: StateBinding, now: number): string {
  return sealer.seal(PURPOSE, JSON.stringify([bindingText(binding), now + STATE_LIFETIME_MS, state]));
}

/** The upstream's state, byte-exact; undefined for one that is not ours, expired, or bound to anything else. */
export function openState(sealer: Sealer, sealed: string, binding: StateBinding, now: number): string | undefined {
  const plain = sealer.open(PURPOSE, sealed);
  if (plain === undefined) return undefined;
  const [bound, expiresAt, state] = JSON.parse(plain) as [string, number, string];
  return bound === bindingText(binding) && now < expiresAt ? state : undefined;
}
