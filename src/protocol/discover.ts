import { isModernCode, RPC } from './errors.ts';
import type { ResponseMessage } from './envelope.ts';
import { isObject, META, type Implementation, type JsonObject } from './meta.ts';
import { isLegacyRevision, isModernRevision, type ModernRevision } from './revisions.ts';

/** What a server says of itself, whichever way it was asked. */
export interface ServerFacts {
  readonly info: Implementation | undefined;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

/** What the answer to a `server/discover` says about the server's era (S26 versioning and transports, "Backward Compatibility"). */
export type EraVerdict =
  | { readonly era: 'modern'; readonly revision: ModernRevision; readonly facts: ServerFacts }
  /** Modern, but of revisions that we asked for wrongly: ask again with this one. */
  | { readonly era: 'retry'; readonly revision: ModernRevision }
  /** Modern, but it shares no revision with us. */
  | { readonly era: 'incompatible'; readonly supported: readonly unknown[] }
  | { readonly era: 'legacy' };

function asImplementation(value: unknown): Implementation | undefined {
  if (!isObject(value) || typeof value.name !== 'string') return undefined;
  return { ...value, name: value.name, version: typeof value.version === 'string' ? value.version : '' };
}

/** Facts from a DiscoverResult or an InitializeResult. */
export function serverFacts(result: JsonObject): ServerFacts {
  const meta = isObject(result._meta) ? result._meta : {};
  return {
    info: asImplementation(meta[META.serverInfo] ?? result.serverInfo),
    capabilities: isObject(result.capabilities) ? result.capabilities : {},
    instructions: typeof result.instructions === 'string' ? result.instructions : undefined,
  };
}

/** Modern in form, but of the revisions it names we share only legacy ones: it is spoken to in one of those. */
const without = (supported: readonly unknown[]): EraVerdict =>
  supported.some(isLegacyRevision) ? { era: 'legacy' } : { era: 'incompatible', supported };

/** The verdict on an answer to `server/discover`. Anything that is not recognizably modern is legacy (PROTOCOL A9). */
export function verdictOf(response: ResponseMessage): EraVerdict {
  const { result, error } = response;
  if (result !== undefined) {
    const supported = result.value.supportedVersions;
    if (!Array.isArray(supported)) return { era: 'legacy' };
    const revision = supported.find(isModernRevision);
    return revision === undefined ? without(supported) : { era: 'modern', revision, facts: serverFacts(result.value) };
  }
  if (error === undefined || !isModernCode(error.code)) return { era: 'legacy' };
  const supported =
    error.code === RPC.unsupportedProtocolVersion && isObject(error.data) && Array.isArray(error.data.supported)
      ? error.data.supported
      : [];
  const revision = supported.find(isModernRevision);
  return revision === undefined ? without(supported) : { era: 'retry', revision };
}
