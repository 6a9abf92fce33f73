import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../protocol/index.ts';
import { catalogueOf, type RegistryChange, type ServerEntry } from '../registry/index.ts';
import { ChangingServer, tool, type ChangingOptions } from './changing-server.ts';
import type { Limits } from './index.ts';
import { httpConfig, kit, until, type Kit } from './test-kit.ts';

/** Tools that a legacy server shows only to clients that can be asked. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

const QUIET = { toolsTtlMs: 3_600_000, refreshMinMs: 3_600_000, refreshDelayMs: 1 };

/** In the server's order, those of one capability between those that everyone sees. */
function toolsFor(offered: JsonObject): JsonObject[] {
  const elicitation = offered.elicitation as JsonObject | undefined;
  const sampling = offered.sampling as JsonObject | undefined;
  const shown: readonly (readonly [string, unknown])[] = [
    ['first', true],
    ['ask-url', elicitation?.url],
    ['ask-form', elicitation],
    ['sample', sampling],
    ['sample-tools', sampling?.tools],
    ['roots', offered.roots],
    ['either', elicitation ?? offered.roots],
    ['both', sampling && elicitation],
    ['last', true],
  ];
  return shown.filter(([, when]) => when !== undefined).map(([name]) => tool(name));
}

interface Setup {
  readonly one: Kit;
  readonly server: ChangingServer;
  readonly changes: RegistryChange[];
  readonly prepare: (era?: 'modern' | 'legacy', asks?: boolean) => Promise<boolean | undefined>;
  readonly entry: () => ServerEntry;
}

async function setup(options: Partial<ChangingOptions> = {}, limits: Partial<Limits> = QUIET): Promise<Setup> {
  const lists = { tools: (modern: boolean, offered: JsonObject) => (modern ? [tool('new')] : toolsFor(offered)) };
  const server = await ChangingServer.start({ eras: 'legacy', lists, ...options });
  ends.push(() => server.close());
  const one = await kit([httpConfig('one', server.url)], limits, undefined, false);
  ends.push(() => one.end());
  await one.manager.start();
  const changes: RegistryChange[] = [];
  one.registry.onChange((change) => void (change.lists.length > 0 && changes.push(change)));
  return {
    one,
    server,
    changes,
    prepare: async (era = 'modern', asks = true) => one.manager.target('one')?.prepare?.(era, asks),
    entry: () => one.registry.get('one') as ServerEntry,
  };
}

const namesOf = ({ tools }: Pick<ServerEntry, 'tools'>): string[] => tools.map(({ definition }) => definition.name);
const initializes = ({ server }: Setup): number => server.count('legacy initialize');

describe('a legacy server that shows more to clients that can be asked', () => {
  it('shows it, behind the rest and in its own order, with what each tool needs', async () => {
    const { prepare, entry, changes } = await setup();
    expect(namesOf(entry())).toEqual(['first', 'last']);
    expect(await prepare()).toBe(true);
    expect(entry().tools.map(({ definition, needs }) => [definition.name, needs])).toEqual([
      ['first', undefined],
      ['last', undefined],
      ['ask-url', [{ elicitation: { url: {} } }]],
      ['ask-form', [{ elicitation: {} }]],
      ['sample', [{ sampling: {} }]],
      ['sample-tools', [{ sampling: { tools: {} } }]],
      ['roots', [{ roots: {} }]],
      ['either', [{ elicitation: {} }, { roots: {} }]],
      ['both', [{ elicitation: { form: {}, url: {} }, sampling: { context: {}, tools: {} }, roots: { listChanged: true } }]],
    ]);
    expect(changes.map(({ lists }) => lists)).toEqual([['tools']]);
  });

  it('is asked for it when the first such client comes, and not again for the next; no session of that stays', async () => {
    const all = await setup();
    await all.prepare('legacy', false);
    expect(initializes(all)).toBe(1);
    await Promise.all([all.prepare(), all.prepare('legacy')]);
    // The one that stays, one that offers everything, three single capabilities, and two in full.
    expect(initializes(all)).toBe(7);
    await all.prepare();
    expect(initializes(all)).toBe(7);
    await until(() => all.server.sessions.size === 1);
  });

  it('costs one more connection where there is nothing more', async () => {
    const all = await setup({ lists: { tools: [tool('a'), tool('b')] } });
    const { tools } = all.entry();
    await all.prepare();
    await all.prepare('legacy');
    expect(initializes(all)).toBe(2);
    expect(all.entry().tools).toBe(tools);
    expect(all.changes).toEqual([]);
  });

  it('is read again when it shows something else to everyone', async () => {
    const { server, prepare, entry, one } = await setup({ capabilities: { tools: { listChanged: true } } }, { ...QUIET, refreshMinMs: 20 });
    await prepare();
    await until(() => server.gets.size === 1);
    server.options.lists.tools = (_modern, offered) => (offered.roots === undefined ? [tool('x')] : [tool('x'), tool('y'), tool('z')]);
    server.tell('notifications/tools/list_changed');
    await until(() => namesOf(entry()).join() === 'x,y,z');
    // What everyone sees now is no extra any more.
    server.options.lists.tools = (_modern, offered) =>
      offered.roots === undefined ? [tool('x'), tool('y')] : [tool('x'), tool('y'), tool('z')];
    server.tell('notifications/tools/list_changed');
    await until(() => entry().tools[1]?.needs === undefined);
    expect(namesOf(entry())).toEqual(['x', 'y', 'z']);
    await one.manager.restart('one');
    expect(namesOf(entry())).toEqual(['x', 'y', 'z']);
  });

  it('is shown as to everyone where that cannot be read', async () => {
    let opened = 0;
    const all = await setup({
      instead: (method) => (method === 'initialize' && ++opened > 1 ? { error: { code: -1, message: 'no' } } : undefined),
    });
    expect(await all.prepare()).toBe(true);
    expect(namesOf(all.entry())).toEqual(['first', 'last']);
    expect(all.one.events.filter(({ kind }) => kind === 'refresh_failed')).toHaveLength(1);
    expect(await all.prepare()).toBe(true);
    expect(initializes(all)).toBe(2);
  });

  it('is waited for no longer than a moment, once, and told of later', async () => {
    const held = Promise.withResolvers<undefined>();
    let opened = 0;
    const instead = (method: string): Promise<undefined> | undefined =>
      method === 'initialize' && ++opened > 1 ? held.promise : undefined;
    const all = await setup({ instead }, { ...QUIET, secondMs: 50 });
    expect(await all.prepare()).toBe(false);
    let ready: boolean | undefined;
    void all.prepare('legacy').then((answer) => (ready = answer));
    await new Promise((resolve) => setImmediate(resolve));
    expect(ready).toBe(false);
    expect(namesOf(all.entry())).toEqual(['first', 'last']);
    held.resolve(undefined);
    await until(() => all.entry().tools.length === 9);
    expect(all.changes.map(({ lists }) => lists)).toEqual([['tools']]);
    expect(await all.prepare()).toBe(true);
  });

  it('shows it in the legacy era only if it speaks both', async () => {
    const all = await setup({ eras: 'dual' });
    await all.prepare();
    expect(initializes(all)).toBe(0);
    await all.prepare('legacy');
    expect(namesOf(all.entry())).toEqual(['new']);
    expect(namesOf(catalogueOf(all.entry(), 'legacy'))).toHaveLength(9);
  });

  it('leaves nothing open when the manager stops while it is read', async () => {
    const held = Promise.withResolvers<undefined>();
    const all = await setup({
      instead: (method, { capabilities }) => (method === 'initialize' && (capabilities as JsonObject).roots ? held.promise : undefined),
    });
    const prepared = all.prepare();
    await until(() => initializes(all) === 2);
    await all.one.manager.stop();
    expect(await prepared).toBe(false);
    held.resolve(undefined);
    expect(all.one.events.filter(({ kind }) => kind === 'refresh_failed')).toEqual([]);
  });
});
