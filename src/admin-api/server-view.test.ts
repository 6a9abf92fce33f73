import { expect, it } from 'vitest';
import { NO_LISTS, type ServerEntry, type ServerState } from '../registry/index.ts';
import { serverView } from './server-view.ts';

function entry(state: ServerState): ServerEntry {
  const facts = { info: undefined, capabilities: {}, instructions: undefined };
  const cache = { ttlMs: 0, cacheScope: 'private' } as const;
  return {
    name: 'files',
    kind: 'upstream',
    transport: 'stdio',
    state,
    eras: [],
    facts,
    tools: [],
    toolsCache: cache,
    ...NO_LISTS,
    warnings: [],
  };
}

it('says why a server that is tried again is not connected, once that is known', () => {
  expect(serverView(entry({ state: 'connecting', reason: 'it ended' }))).toMatchObject({ state: 'connecting', reason: 'it ended' });
  expect(serverView(entry({ state: 'connecting' }))).not.toHaveProperty('reason');
  expect(serverView(entry({ state: 'stopped' }))).toMatchObject({ state: 'stopped' });
});
