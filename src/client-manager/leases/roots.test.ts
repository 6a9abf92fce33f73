import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type AskClient, type JsonObject } from '../../protocol/index.ts';
import { isAlive, stdioConfig, until } from '../test-kit.ts';
import type { StdioConfig } from '../types.ts';
import { asked, leasesKit, said, TestSession, type LeasesKit, type RunOptions } from './leases-kit.ts';

/** What servers know of the roots of whose calls they carry (PROTOCOL A2). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

/** Asks for roots when it starts and when they have changed, and keeps what it is told, as server-filesystem does. `where` says all of it. */
const KEEPER = `
  let roots = null, asked = 0, offers = {};
  const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
  const ask = () => say({ id: 'r' + ++asked, method: 'roots/list' });
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params, result, error } = JSON.parse(line);
    if (method === 'notifications/roots/list_changed' || (method === 'notifications/initialized' && offers.roots && !process.env.LATE)) ask();
    if (id === undefined) return;
    if (method === undefined) { setImmediate(() => { roots = error ? 'error ' + error.code : result.roots.map(({ uri }) => uri).join(); }); return; }
    if (method === 'initialize') {
      offers = params.capabilities;
      return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'k', version: '1' } } });
    }
    if (method === 'ping' && process.env.NO_PING) return;
    if (method !== 'tools/call') return say({ id, error: { code: -32601, message: 'no' } });
    if (params.name === 'ask') ask();
    const text = JSON.stringify({ roots, asked, offers, pid: process.pid });
    setTimeout(() => say({ id, result: { content: [{ type: 'text', text }] } }), 0);
  });`;

async function start(more: Partial<StdioConfig> = {}): Promise<LeasesKit> {
  const kit = await leasesKit(stdioConfig('one', [], { args: ['-e', KEEPER], ...more }));
  ends.push(() => kit.end());
  return kit;
}

interface Known {
  readonly roots: string | null;
  readonly asked: number;
  readonly offers: JsonObject;
  readonly pid: number;
}

const OFFERS = { roots: {} };

/** A client with a session, a root of its own, and a count of how often it was asked for it. */
class Client {
  readonly session = new TestSession();
  asked = 0;
  root: string;
  readonly #kit: LeasesKit;

  constructor(kit: LeasesKit, root: string) {
    this.#kit = kit;
    this.root = root;
  }

  readonly ask: AskClient = () => {
    this.asked++;
    return Promise.resolve({ result: jsonText({ roots: [{ uri: this.root }] }) });
  };

  async call(options: RunOptions = {}): Promise<Known> {
    const own = { tool: 'where', offers: OFFERS, session: this.session, ask: this.ask };
    return said(await this.#kit.outcome({}, { ...own, ...options })) as Known;
  }
}

describe('the roots of a session', () => {
  it('are known before its first call, and never to another session of the same principal', async () => {
    const kit = await start();
    const [a, b] = [new Client(kit, 'file:///a'), new Client(kit, 'file:///b')];
    const first = await a.call();
    expect(first).toMatchObject({ roots: 'file:///a', asked: 1, offers: { roots: { listChanged: true } } });
    expect(await b.call()).toMatchObject({ roots: 'file:///b', asked: 1 });
    expect(await a.call()).toEqual(first);
    expect([a.asked, b.asked, kit.opened.length]).toEqual([1, 1, 2]);
  });

  it('are told at once when they change, if the client can be asked apart from its calls', async () => {
    const kit = await start();
    const a = new Client(kit, 'file:///a');
    await a.call();
    a.session.ask = a.ask;
    a.root = 'file:///new';
    a.session.rootsChanged();
    await until(() => a.asked === 2);
    expect(await a.call()).toMatchObject({ roots: 'file:///new', asked: 2 });
  });

  it('are told with the next call if it cannot', async () => {
    const kit = await start();
    const a = new Client(kit, 'file:///a');
    await a.call();
    a.root = 'file:///new';
    a.session.rootsChanged();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(a.asked).toBe(1);
    expect(await a.call()).toMatchObject({ roots: 'file:///new', asked: 2 });
  });

  it('that the server asks for as the call ends are told all the same', async () => {
    const kit = await start({ env: { LATE: '1' } });
    const a = new Client(kit, 'file:///a');
    let aborted = false;
    const slow: AskClient = async (ask, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      ({ aborted } = signal);
      return a.ask(ask, signal);
    };
    await a.call({ tool: 'ask', ask: slow });
    await until(() => a.asked === 1);
    expect(aborted).toBe(false);
    let known = await a.call();
    while (known.roots === null) known = await a.call();
    expect(known).toMatchObject({ roots: 'file:///a', asked: 1 });
  });

  it('that it cannot be asked for are the configured ones, until it can', async () => {
    const kit = await start({ roots: [{ uri: 'file:///configured' }] });
    const a = new Client(kit, 'file:///a');
    const gone: AskClient = () => Promise.resolve({ error: { code: -32603, message: 'The client cannot be reached for a question.' } });
    expect(await a.call({ ask: gone })).toMatchObject({ roots: 'file:///configured' });
    expect(await a.call()).toMatchObject({ roots: 'file:///a', asked: 2 });
    const refused: AskClient = () => Promise.resolve({ error: { code: -32601, message: 'no' } });
    a.session.rootsChanged();
    expect(await a.call({ ask: refused })).toMatchObject({ roots: 'error -32601' });
  });

  it('that a client never tells hold up no later call', { timeout: 15_000 }, async () => {
    const kit = await start();
    const a = new Client(kit, 'file:///a');
    await a.call();
    a.session.ask = () => new Promise(() => undefined);
    a.session.rootsChanged();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await a.call()).toMatchObject({ roots: 'file:///a', asked: 2 });
  });

  it('are waited for a moment only where the server answers no ping', { timeout: 15_000 }, async () => {
    const kit = await start({ env: { NO_PING: '1' } });
    const a = new Client(kit, 'file:///a');
    expect(await a.call()).toMatchObject({ roots: 'file:///a' });
    const before = performance.now();
    await a.call();
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('go with it: its connections end, a busy one when its call has ended', async () => {
    const kit = await start();
    const [a, b] = [new Client(kit, 'file:///a'), new Client(kit, 'file:///b')];
    const { pid } = await a.call();
    a.session.end();
    await until(() => !isAlive(pid));
    const ending: AskClient = (ask, signal) => {
      b.session.end();
      return b.ask(ask, signal);
    };
    expect(await b.call({ ask: ending })).toMatchObject({ roots: 'file:///b' });
    await until(() => kit.gauge('upstream_leases') === 0);
    expect([a.session.watchers.size, b.session.watchers.size]).toEqual([0, 0]);
  });
});

describe('the roots of a modern client', () => {
  it('are asked for before its call is sent, and anew for each call', async () => {
    const kit = await start();
    const where = (root: string): Promise<Known> => modern(kit, root);
    const first = await where('file:///a');
    expect(first).toMatchObject({ roots: 'file:///a', asked: 1 });
    expect(await where('file:///b')).toEqual({ ...first, roots: 'file:///b', asked: 2 });
    expect(kit.opened).toHaveLength(1);
  });

  async function modern(kit: LeasesKit, root: string): Promise<Known> {
    const { state, requests, keys } = asked(await kit.outcome({}, { tool: 'where', offers: OFFERS }));
    expect(Object.values(requests)).toEqual([{ method: 'roots/list' }]);
    const answers = { [keys[0] ?? '']: { roots: [{ uri: root }] } };
    return said(await kit.outcome({}, { tool: 'where', offers: OFFERS, state, answers })) as Known;
  }

  it('are not asked for where the server has not asked before', async () => {
    const kit = await start({ env: { LATE: '1' } });
    for (let i = 0; i < 3; i++) expect(said(await kit.outcome({}, { tool: 'where', offers: OFFERS }))).toMatchObject({ asked: 0 });
  });

  it('that were asked for and not told are never those of another call', async () => {
    const kit = await start({ roots: [{ uri: 'file:///configured' }], env: { LATE: '1' } });
    await kit.outcome({}, { tool: 'ask', offers: OFFERS });
    const { state, keys } = asked(await kit.outcome({}, { tool: 'where', offers: OFFERS }));
    const answers = { [keys[0] ?? '']: { roots: [{ uri: 'file:///mine' }] } };
    const known = said(await kit.outcome({}, { tool: 'where', offers: OFFERS, state, answers }));
    expect(known).toMatchObject({ roots: 'file:///mine', asked: 2 });
  });

  it('whose call is given up before it was sent is said to have done nothing', async () => {
    const kit = await start();
    const run = kit.run({}, { tool: 'where', offers: OFFERS });
    setTimeout(run.abort, 5);
    expect(said(await run.outcome)).toBe('failed canceled no');
  });
});
