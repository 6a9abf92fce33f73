import { isLegacyRevision, type Era, type ResponseMessage } from '../protocol/index.ts';

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
