import { isLegacyRevision, type Era, type ResponseMessage } from '../protocol/index.ts';
import type { Connection } from './connection.ts';
import type { UpstreamConfig } from './types.ts';

/**
 * What made us doubt that a server still speaks the era of its connection: an answer that is `strange` in that era, or several `ordinary`
 * refusals, which wrong requests of clients bring about too.
 */
export type Doubt = 'strange' | 'ordinary';

/** Resolves true if the server does not speak this era any more, as far as that was asked lately. Never rejects. */
export type AskEra = (era: Era, doubt: Doubt) => Promise<boolean>;

/** The eras that a discover result names: a dual-era server lists its legacy revisions too. */
export function erasOf(response: ResponseMessage | undefined): readonly Era[] {
  const supported = response?.result?.value.supportedVersions;
  return Array.isArray(supported) && supported.some(isLegacyRevision) ? ['modern', 'legacy'] : ['modern'];
}

/** Why a server that lists `supported` is of no use to us, in public words. */
export function incompatible(supported: readonly unknown[]): string {
  const list = supported.slice(0, 10).map((version) => String(version).slice(0, 40));
  return `it shares no revision with us: it speaks ${list.join(', ') || 'none that it names'}`;
}

/** Whether a server of this connection may speak the legacy era beside the modern one (PROTOCOL A1). */
export function mayHaveLegacySide(config: UpstreamConfig, { era, eras }: Pick<Connection, 'era' | 'eras'>): boolean {
  if (config.era !== 'auto' || era !== 'modern') return false;
  // A child that does not name a legacy revision is not started a second time to find out.
  return config.transport === 'stdio' ? eras.includes('legacy') : config.transport !== 'sse';
}
