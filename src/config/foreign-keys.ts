import { pathText } from './document.ts';
import { SERVER_KEYS } from './mcp-server.ts';
import { nearest } from './suggest.ts';

/** Keys that hosts write and that mean nothing here; each yields a warning. */
const FOREIGN_KEYS: Readonly<Record<string, string>> = {
  timeout: 'use deadlineSeconds',
  autoApprove: 'approval belongs to the host',
  alwaysAllow: 'approval belongs to the host',
  trust: 'trust is not given by configuration',
  disabledTools: 'tools are not filtered yet',
  enabledTools: 'tools are not filtered yet',
  includeTools: 'tools are not filtered yet',
  excludeTools: 'tools are not filtered yet',
  envFile: 'write variables as ${env:NAME}',
  oauth: 'signing in to servers is not used yet: put a token into headers',
  auth: 'signing in to servers is not used yet: put a token into headers',
  authProviderType: 'signing in to servers is not used yet: put a token into headers',
  headersHelper: 'helpers are not run: write headers, with ${env:NAME}',
};

/** Words for people and catalogues: left out without a word. */
const SILENT_KEYS: readonly string[] = [
  'description',
  'note',
  'icon',
  'gallery',
  'version',
  'name',
  'displayName',
  'title',
  'tags',
  'id',
  'comment',
];

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A key that is close to one of ours stays, to be refused: a misspelt setting must not be ignored. */
const isOurs = (key: string): boolean => SERVER_KEYS.includes(key) || nearest(key, SERVER_KEYS) !== undefined;

/** What to do with a key of an entry: `keep`, or leave it out, with a warning or without. */
function fateOf(key: string, value: unknown): 'keep' | { readonly warning?: string } {
  // Some hosts list the tools that they use; ours is a mapping.
  if (key === 'tools' && Array.isArray(value)) return fateOf('includeTools', undefined);
  if (SILENT_KEYS.includes(key)) return {};
  if (Object.hasOwn(FOREIGN_KEYS, key)) return { warning: `means nothing here (${FOREIGN_KEYS[key] ?? ''}) and is ignored.` };
  return isOurs(key) ? 'keep' : { warning: 'is not known here and is ignored.' };
}

/** The file's value without what entries of `mcpServers` brought from their host and means nothing here. */
export function withoutForeignKeys(value: unknown): { readonly value: unknown; readonly warnings: readonly string[] } {
  if (!isRecord(value) || !isRecord(value.mcpServers)) return { value, warnings: [] };
  const warnings: string[] = [];
  const kept = (name: string, entry: unknown): unknown => {
    if (!isRecord(entry)) return entry;
    const members = Object.entries(entry).filter(([key, value]) => {
      const fate = fateOf(key, value);
      if (fate === 'keep') return true;
      if (fate.warning !== undefined) warnings.push(`${pathText(['mcpServers', name, key])} ${fate.warning}`);
      return false;
    });
    return Object.fromEntries(members);
  };
  const servers = Object.entries(value.mcpServers).map(([name, entry]) => [name, kept(name, entry)] as const);
  return { value: { ...value, mcpServers: Object.fromEntries(servers) }, warnings };
}
