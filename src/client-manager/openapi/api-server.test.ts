import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Catalogue, ServerState } from '../../registry/index.ts';
import { Caps, systemClock } from '../../shared/index.ts';
import type { OwnEvent } from '../events.ts';
import { ApiServer, type ApiServerOptions } from './api-server.ts';
import { checkApi } from './check-api.ts';
import { api, callNamed, json, stub, type Stub } from './openapi-kit.ts';
import type { ApiConfig } from './types.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

interface Rig {
  readonly server: ApiServer;
  readonly caps: Caps;
  readonly states: ServerState[];
  readonly catalogues: Catalogue[];
  readonly events: OwnEvent[];
  /** Resolves when the catalogue was shown so many times. */
  readonly shown: (times: number) => Promise<void>;
}

const ENTRY: Omit<ApiConfig, 'openapi'> = {
  name: 'api',
  transport: 'openapi',
  headers: {},
  variables: {},
  include: [],
  exclude: [],
  tools: {},
  scopes: ['market:read'],
  deadlineMs: 5_000,
  maxInFlight: 4,
};

function rig(config: Pick<ApiConfig, 'openapi'> & Partial<ApiConfig>, more: Partial<ApiServerOptions> = {}): Rig {
  const caps = new Caps();
  const [states, catalogues, events]: [ServerState[], Catalogue[], OwnEvent[]] = [[], [], []];
  const waiting: { readonly times: number; readonly resolve: () => void }[] = [];
  const server = new ApiServer({
    config: { ...ENTRY, ...config },
    caps,
    clock: systemClock,
    connectMs: 5_000,
    backoff: { firstMs: 10, maxMs: 20 },
    refreshMs: 3_600_000,
    emit: (event) => events.push(event),
    onState: (state) => states.push(state),
    onCatalogue: (catalogue) => {
      catalogues.push(catalogue);
      for (const { times, resolve } of waiting) if (catalogues.length >= times) resolve();
    },
    ...more,
  });
  open.push({ close: () => server.stop() });
  const shown = (times: number): Promise<void> =>
    new Promise((resolve) => {
      if (catalogues.length >= times) resolve();
      else waiting.push({ times, resolve });
    });
  return { server, caps, states, catalogues, events, shown };
}

async function serving(answer: Parameters<typeof stub>[0]): Promise<Stub> {
  const server = await stub(answer);
  open.push(server);
  return server;
}

const document = (...ids: string[]): unknown =>
  api(Object.fromEntries(ids.map((id) => [`/${id}`, { get: { operationId: id } }])), { servers: [{ url: '/v1' }] });

describe('an API server', () => {
  it('reads its document from a URL and calls the API beside it', async () => {
    const home = await serving(({ url }, response) => json(response, url === '/openapi.json' ? document('a', 'b') : { at: url }));
    const { server, states, catalogues, caps, events } = rig({ openapi: `${home.url}/openapi.json`, headers: { 'x-key': 's3cret' } });
    await server.start();
    expect(states).toMatchObject([{ state: 'ready' }]);
    expect(catalogues[0]?.tools.map(({ definition, scopes }) => [definition.name, scopes])).toEqual([
      ['a', ['market:read']],
      ['b', ['market:read']],
    ]);
    expect(events).toMatchObject([{ kind: 'connected', via: 'openapi', revision: '3.1.0', tools: 2 }]);
    expect((await callNamed(server, 'a')).value.structuredContent).toEqual({ at: '/v1/a' });
    // The document's place is not known to be the API's: it gets no credentials.
    expect(home.heard.map(({ headers }) => headers['x-key'])).toEqual([undefined, 's3cret']);
    await server.stop();
    expect(caps.list()).toEqual([]);
    expect((await callNamed(server, 'a')).outcome).toMatchObject({ failure: { code: 'upstream_unavailable', executed: 'no' } });
    expect(server.state).toEqual({ state: 'stopped' });
  });

  it('reads its document from a file, and asks for one with credentials where it is the API that has it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'openapi-'));
    open.push({ close: () => rm(folder, { recursive: true, force: true }) });
    const file = join(folder, 'openapi.yaml');
    await writeFile(file, "openapi: 3.0.0\npaths: { /a: { get: { operationId: a } } }\nservers: [{ url: 'http://api.test' }]\n");
    const first = rig({ openapi: file });
    await first.server.start();
    expect(first.catalogues[0]?.tools).toHaveLength(1);
    const home = await serving((_heard, response) => json(response, document('a')));
    const second = rig({ openapi: `${home.url}/openapi.json`, url: `${home.url}/v2`, headers: { 'x-key': 's3cret' } });
    await second.server.start();
    expect(home.heard[0]?.headers['x-key']).toBe('s3cret');
  });

  it('tries again until there is a document, and says why there is none', async () => {
    let asked = 0;
    const home = await serving((_heard, response) => (++asked < 3 ? json(response, {}, 500) : json(response, document('a'))));
    const { server, states, shown, events } = rig({ openapi: `${home.url}/openapi.json` });
    await server.start();
    const reason = 'the URL of its OpenAPI document answered with HTTP 500';
    expect(server.state).toMatchObject({ state: 'backing_off', reason });
    const { outcome } = await callNamed(server, 'a');
    expect(outcome).toMatchObject({ failure: { executed: 'no', message: expect.stringContaining(reason) as string } });
    await shown(1);
    expect(states.map(({ state }) => state)).toEqual(['backing_off', 'backing_off', 'ready']);
    expect(events[0]).toMatchObject({ kind: 'connect_failed', reason });
  });

  it.each([
    ['a file that does not exist', '/nowhere/openapi.json', 'the file of its OpenAPI document does not exist'],
    ['a folder', tmpdir(), 'its OpenAPI document could not be read'],
    ['a closed port', 'http://127.0.0.1:1/openapi.json', 'its OpenAPI document could not be fetched: the connection was refused'],
  ])('says what is wrong with %s', async (_name, openapi, reason) => {
    const { server } = rig({ openapi });
    await server.start();
    expect(server.state).toMatchObject({ state: 'backing_off', reason });
  });

  it('goes on with what it has when the document cannot be read again, and takes a newer one', async () => {
    let answers: unknown[] = [document('a'), 'broken', document('a', 'b')];
    const home = await serving(({ url }, response) => {
      if (url !== '/openapi.json') return json(response, { ok: true });
      const [next, ...more] = answers;
      answers = more;
      json(response, next);
    });
    const { server, states, catalogues, events, shown } = rig({ openapi: `${home.url}/openapi.json` });
    await server.start();
    await server.restart();
    expect(events.at(-1)).toMatchObject({ kind: 'refresh_failed' });
    expect((await callNamed(server, 'a')).value.structuredContent).toEqual({ ok: true });
    await shown(2);
    expect(catalogues.map(({ tools }) => tools.length)).toEqual([1, 2]);
    expect(states).toHaveLength(1);
    expect((await callNamed(server, 'b')).value.structuredContent).toEqual({ ok: true });
  });

  it('reads a document again after its time, and gives up one that does not come', async () => {
    let asked = 0;
    const home = await serving(({ url }, response) => {
      // Each comes twice: what has not changed is not shown again.
      if (url === '/openapi.json') json(response, document(`v${Math.floor(asked++ / 2)}`));
    });
    const often = rig({ openapi: `${home.url}/openapi.json` }, { refreshMs: 5 });
    await often.server.start();
    await often.shown(3);
    expect(asked).toBeGreaterThanOrEqual(5);
    expect(often.catalogues.slice(0, 3).map(({ tools }) => tools[0]?.definition.name)).toEqual(['v0', 'v1', 'v2']);
    const never = rig({ openapi: `${home.url}/never.json` }, { connectMs: 50 });
    await never.server.start();
    expect(never.server.state).toMatchObject({ state: 'backing_off', reason: 'its OpenAPI document was not there within 50 ms' });
  });
});

describe('a check', () => {
  it('counts the tools of a document, or says what is wrong', async () => {
    const home = await serving((_heard, response) => json(response, document('a', 'b')));
    const check = (openapi: string): ReturnType<typeof checkApi> =>
      checkApi({ ...ENTRY, openapi }, { connectMs: 5_000 }, new AbortController().signal);
    expect(await check(`${home.url}/openapi.json`)).toMatchObject({
      ok: true,
      tools: 2,
      revision: '3.1.0',
      warnings: [],
      problem: undefined,
    });
    const problem = 'the file of its OpenAPI document does not exist';
    expect(await check('/nowhere/openapi.json')).toMatchObject({ ok: false, tools: 0, eras: [], problem });
  });
});
