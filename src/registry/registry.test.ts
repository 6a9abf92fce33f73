import { describe, expect, it } from 'vitest';
import { Registry, type RegistryChange } from './registry.ts';
import { NO_LISTS, type ServerEntry } from './server-entry.ts';

const entry = (name: string, more: Partial<ServerEntry> = {}): ServerEntry => ({
  name,
  kind: 'upstream',
  transport: 'stdio',
  state: { state: 'stopped' },
  eras: [],
  facts: { info: undefined, capabilities: {}, instructions: undefined },
  tools: [],
  toolsCache: { ttlMs: 0, cacheScope: 'private' },
  ...NO_LISTS,
  warnings: [],
  ...more,
});

function filled(...names: string[]): Registry {
  const registry = new Registry();
  for (const name of names) registry.put(entry(name));
  return registry;
}

const names = (registry: Registry): string[] => registry.list().map(({ name }) => name);

describe('Registry', () => {
  it('keeps the order of the first put through every change', () => {
    const registry = filled('b', 'a', 'c');
    registry.put(entry('b', { warnings: ['x'] }));
    registry.setState('a', { state: 'ready', since: 1 });
    expect(names(registry)).toEqual(['b', 'a', 'c']);
    registry.remove('b');
    registry.put(entry('b'));
    expect(names(registry)).toEqual(['a', 'c', 'b']);
  });

  it('the version grows with catalogues, and not with states', () => {
    const registry = filled('a');
    const { version } = registry;
    registry.setState('a', { state: 'connecting' });
    registry.setState('none', { state: 'connecting' });
    registry.remove('none');
    expect(registry.version).toBe(version);
    registry.put(entry('a'));
    expect(registry.version).toBe(version + 1);
    registry.remove('a');
    expect(registry.version).toBe(version + 2);
  });

  it('a state changes the state only, in a new entry', () => {
    const registry = filled('a');
    const before = registry.get('a');
    registry.setState('a', { state: 'backing_off', reason: 'r', retryAt: 5 });
    expect(registry.get('a')).toEqual({ ...before, state: { state: 'backing_off', reason: 'r', retryAt: 5 } });
    expect(before?.state).toEqual({ state: 'stopped' });
    expect(registry.get('none')).toBeUndefined();
    expect(registry.get('constructor')).toBeUndefined();
  });

  it('tells its listeners of every change, with the version grown, until they leave', () => {
    const registry = filled('a');
    const seen: [RegistryChange, number][] = [];
    const leave = registry.onChange((change) => seen.push([change, registry.version]));
    registry.setState('a', { state: 'connecting' });
    registry.put(entry('b'));
    registry.remove('b');
    registry.remove('b');
    leave();
    registry.put(entry('c'));
    const lists = ['tools', 'prompts', 'resources'];
    expect(seen).toEqual([
      [{ server: 'a', what: 'state', lists: [] }, 1],
      [{ server: 'b', what: 'catalogue', lists }, 2],
      [{ server: 'b', what: 'removed', lists }, 3],
    ]);
  });

  it('a listener that leaves while it is told spoils nothing', () => {
    const registry = filled();
    const seen: string[] = [];
    const leave = registry.onChange(() => {
      seen.push('first');
      leave();
    });
    registry.onChange(() => seen.push('second'));
    registry.put(entry('a'));
    registry.put(entry('b'));
    expect(seen).toEqual(['first', 'second', 'second']);
  });

  it('a list that was taken does not change', () => {
    const registry = filled('a');
    const list = registry.list();
    registry.put(entry('b'));
    expect(list.map(({ name }) => name)).toEqual(['a']);
  });
});
