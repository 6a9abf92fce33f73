import { jsonText, readTools } from '../../protocol/index.ts';
import { catalogueTools, NO_LISTS, type Catalogue, type ToolTraits } from '../../registry/index.ts';
import { API_LIMITS, type ApiReading } from './types.ts';

/** How long clients may keep the list: it changes only with the document. */
const LIST_TTL_MS = 300_000;

/** What an API shows, as the catalogue of a server. `scopes` are those that a caller needs for any tool of it. */
export function apiCatalogue({ facts, operations, warnings }: ApiReading, scopes: readonly string[]): Catalogue {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const traits = ({ name }: { readonly name: string }): ToolTraits => {
    const operation = byName.get(name);
    const own = operation?.scope === undefined ? [] : [operation.scope];
    return { sideEffect: operation?.sideEffect ?? 'write', scopes: [...new Set([...scopes, ...own])] };
  };
  const list = jsonText({ tools: operations.map(({ definition }) => definition) });
  const reading = catalogueTools(readTools(list), { traits, strictHeaders: false, maxTools: API_LIMITS.operations });
  const { title, version, description } = facts;
  return {
    facts: { info: { name: title, title, version }, capabilities: { tools: {} }, instructions: description },
    tools: reading.tools,
    toolsCache: { ttlMs: LIST_TTL_MS, cacheScope: 'private' },
    ...NO_LISTS,
    warnings: [...warnings, ...reading.warnings],
  };
}
