import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import { textOf, toolNames } from '../support/mcp-wire.ts';
import type { LocalServer } from '../support/relay.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { callLeg } from './caller.ts';
import { FLOOD, ROGUE, startRogue } from './rogue.ts';

/** Servers that do what no server should, through a real gateway: what their callers see, and that nobody else notices. */

let gateway: GatewayHere;
let rogue: LocalServer;
let upstreams: HttpUpstream[];

beforeAll(async () => {
  rogue = await startRogue();
  upstreams = await Promise.all([startHttpUpstream({ era: 'legacy' }), startHttpUpstream({ era: 'modern' }), startHttpUpstream()]);
  const stdio = { command: process.execPath, args: [ROGUE], era: 'modern' };
  gateway = await GatewayHere.start({
    'rogue-stdio': stdio,
    'rogue-http': { url: rogue.url, era: 'modern' },
    'deaf-stdio': { ...stdio, deadlineSeconds: 2 },
    'deaf-http': { url: rogue.url, era: 'modern', deadlineSeconds: 2 },
    'legacy-http': { url: upstreams[0]?.url, era: 'legacy' },
    'modern-http': { url: upstreams[1]?.url, era: 'modern' },
    turning: { url: upstreams[2]?.url },
    'legacy-stdio': { ...fixtureStdio({ era: 'legacy' }), era: 'legacy' },
    'modern-stdio': { ...fixtureStdio({ era: 'modern' }), era: 'modern' },
  });
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([rogue.close(), ...upstreams.map((upstream) => upstream.close()), endGateways()]);
}, PATIENCE_MS);

const echo = async (server: string): Promise<string> => textOf(await gateway.wire(server).call('echo', { text: server }));

describe.each(['rogue-stdio', 'rogue-http'])('a server (%s)', (server) => {
  const call = (name: string): ReturnType<typeof callLeg> =>
    callLeg(gateway.wire(server), { name, arguments: {} }, { 'io.modelcontextprotocol/logLevel': 'info' });

  it('that answers twice has answered with the first', async () => {
    verifies('cancel-client-races');
    for (let i = 0; i < 5; i++) expect([(await call('twice')).text, (await call('echo')).text]).toEqual(['twice', 'echo']);
  });

  it('that answers under unknown ids answers nobody by it', async () => {
    const results = await Promise.all([call('strangers'), call('echo'), call('strangers'), call('echo')]);
    expect(results.map(({ text }) => text)).toEqual(['strangers', 'echo', 'strangers', 'echo']);
  });

  it('that sends what is no message is heard all the same, or fails that call alone', async () => {
    const { text, last } = await call('rubbish');
    if (last.result?.isError === true) expect(text).toMatch(/"code":"(upstream_protocol_error|outcome_unknown)"/);
    else expect(text).toBe('rubbish');
    expect((await call('echo')).text).toBe('echo');
  });

  it(`that sends ${FLOOD} notifications slows down nobody else, and its call gets its answer`, async () => {
    const flooded = call('flood');
    for (const other of ['modern-stdio', 'modern-http', 'legacy-stdio']) expect(await echo(other)).toBe(other);
    expect((await flooded).text).toBe('flood');
    expect((await call('echo')).text).toBe('echo');
  });
});

it.each(['deaf-stdio', 'deaf-http'])(
  'a server that stops reading (%s) costs its callers their deadline, and nobody else anything',
  async (server) => {
    const wire = gateway.wire(server);
    const deaf = wire.call('deaf', {});
    const late = await Promise.all([deaf, ...(server === 'deaf-stdio' ? [wire.call('echo', {}), wire.call('echo', {})] : [])]);
    for (const reply of late) {
      expect(reply.json?.result?.isError).toBe(true);
      expect(JSON.parse(textOf(reply))).toMatchObject({ code: 'deadline_exceeded' });
    }
    expect(await echo('modern-stdio')).toBe('modern-stdio');
  },
);

it('a legacy server that forgot its sessions gets new ones, and each call its answer', async () => {
  verifies('s25-client-session-gone');
  const [legacy] = upstreams;
  for (let i = 0; i < 3; i++) {
    legacy?.forgetSessions();
    const replies = await Promise.all(Array.from({ length: 5 }, () => echo('legacy-http')));
    expect(replies).toEqual(replies.map(() => 'legacy-http'));
  }
});

it.each(['legacy-stdio', 'modern-stdio'])('a program that ends in mid-call (%s) is started anew', async (server) => {
  const crashed = await gateway.wire(server).call('crash', {});
  expect(JSON.parse(textOf(crashed))).toMatchObject({ code: 'outcome_unknown', executed: 'unknown' });
  expect(await until('the next answer', async () => (await echo(server)) === server)).toBe(true);
});

it('an HTTP server that is gone for a while is there again when it is back', async () => {
  const [, modern] = upstreams;
  const { port } = new URL(modern?.url ?? '');
  await modern?.close();
  const gone = await gateway.wire('modern-http').call('echo', { text: 'x' });
  expect(gone.json?.result?.isError).toBe(true);
  expect(await echo('legacy-http')).toBe('legacy-http');
  upstreams[1] = await startHttpUpstream({ era: 'modern', port: Number(port) });
  await until('it answers', async () => (await echo('modern-http')) === 'modern-http');
});

it.each(['legacy', 'modern'] as const)('a server that turns %s overnight is called as such', async (era) => {
  upstreams[2]?.set({ era });
  if (era === 'modern') upstreams[2]?.forgetSessions();
  await until(`an answer in the ${era} era`, async () => (await echo('turning')) === 'turning');
  const session = await gateway.wire('turning').open('2025-11-25');
  await until('an answer to a legacy client', async () => textOf(await session.call('echo', { text: 'hi' })) === 'hi');
  await session.end();
});

it.each(['legacy-stdio', 'modern-stdio'])('a server that changes its tools (%s) is shown and called with the new ones', async (server) => {
  const wire = gateway.wire(server);
  await wire.call('change_tools', {});
  await until('the new tool', async () => toolNames(await wire.modern('tools/list')).includes('added_later'));
  expect(textOf(await wire.call('added_later', {}))).toBe('here');
});
