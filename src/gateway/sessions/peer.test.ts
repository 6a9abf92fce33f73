import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type CallerSession, type Outcome } from '../../protocol/index.ts';
import { BoundedCount, Caps } from '../../shared/index.ts';
import { resolveEndpoint } from '../endpoints.ts';
import { serveStdio } from '../faces/stdio.ts';
import {
  answerOf,
  callEcho,
  eventually,
  initialize,
  LegacyClient,
  notification,
  rpc,
  serverOf,
  start,
  type Running,
} from '../faces/testing.ts';
import { agent, testGateway, type TestServer } from '../testing.ts';
import { SessionPeer } from './peer.ts';

/** What servers learn of a legacy client's session: whose call it is, that its roots have changed, that it is over. */

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };
const CHANGED = notification('notifications/roots/list_changed');

let running: Running | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

class Watched {
  readonly sessions: (CallerSession | undefined)[] = [];
  readonly seen: string[] = [];

  readonly server: TestServer = serverOf(
    ({ caller }) => {
      this.sessions.push(caller.session);
      return ok;
    },
    {
      listen: (interest, { session }) => {
        this.sessions.push(session);
        return { honoured: Promise.resolve(interest), close: () => undefined };
      },
    },
  );

  watch(name = ''): CallerSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error('no session');
    session.watch({ rootsChanged: () => this.seen.push(`changed${name}`), ended: () => this.seen.push(`ended${name}`) });
    return session;
  }
}

describe('a session over HTTP', () => {
  it('is told to servers with each call and subscription of a client that can be asked, and of no other', async () => {
    const watched = new Watched();
    running = await start([watched.server]);
    const askable = await LegacyClient.open(running.port, { capabilities: { roots: {} } });
    const other = await LegacyClient.open(running.port, { capabilities: { elicitation: {} } });
    const plain = await LegacyClient.open(running.port);
    const stream = await askable.get();
    for (const client of [askable, askable, other, plain]) await answerOf(await client.post(callEcho(1)));
    await answerOf(await askable.post(rpc(2, 'resources/subscribe', { uri: 'x:1' })));
    const [first, second, third, fourth, subscribed] = watched.sessions;
    expect([first === second, first === third, fourth, subscribed === first]).toEqual([true, false, undefined, true]);
    stream.drop();
  });

  it('tells that its roots have changed, and once that it is over', async () => {
    const watched = new Watched();
    running = await start([watched.server]);
    const client = await LegacyClient.open(running.port, { capabilities: { roots: { listChanged: true } } });
    await answerOf(await client.post(callEcho(1)));
    const session = watched.watch();
    await (
      await client.post(CHANGED)
    ).ended;
    expect(watched.seen).toEqual(['changed']);
    expect(await client.delete()).toBe(204);
    expect(watched.seen).toEqual(['changed', 'ended']);
    watched.watch(' late');
    expect(watched.seen.at(-1)).toBe('ended late');
    expect(session.ask).toBeUndefined();
  });

  it('can be asked apart from its calls while its client listens', async () => {
    const watched = new Watched();
    running = await start([watched.server]);
    const client = await LegacyClient.open(running.port, { capabilities: { roots: {} } });
    await answerOf(await client.post(callEcho(1)));
    const session = watched.watch();
    expect(session.ask).toBeUndefined();
    const stream = await client.get();
    const ask = await eventually(() => session.ask);
    const answer = ask({ method: 'roots/list', params: undefined }, new AbortController().signal);
    const { id } = await stream.message();
    await (
      await client.post({ jsonrpc: '2.0', id, result: { roots: [] } })
    ).ended;
    expect(await answer).toMatchObject({ result: { value: { roots: [] } } });
    stream.drop();
    await eventually(() => session.ask === undefined);
  });
});

it('a session over a connection of its own is told of alike, and ends with it', async () => {
  const watched = new Watched();
  const { services, registry } = testGateway([watched.server]);
  const endpoint = resolveEndpoint('s', registry);
  if (endpoint === undefined) throw new Error('no endpoint');
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asks = { open: new BoundedCount('client_asks', 10, new Caps()), deadlineMs: 60_000 };
  const authenticate = () => ({ ok: true, principal: agent }) as const;
  const limits = { frameBytes: 4096, drainMs: 1_000, maxInFlight: 4, closing: undefined };
  const done = serveStdio({ services, endpoint, asks, input, output, authenticate, ...limits });
  const initialized = notification('notifications/initialized');
  for (const message of [initialize('2025-11-25', { roots: {} }), initialized, callEcho(1)]) input.write(`${JSON.stringify(message)}\n`);
  await eventually(() => watched.sessions.length > 0);
  expect(watched.watch().ask).toBeDefined();
  input.write(`${JSON.stringify(CHANGED)}\n`);
  await eventually(() => watched.seen.length > 0);
  input.end();
  await done;
  expect(watched.seen).toEqual(['changed', 'ended']);
});

it('nobody is told who does not watch any more', () => {
  const peer = new SessionPeer(() => undefined);
  const seen: string[] = [];
  const stop = peer.watch({ rootsChanged: () => seen.push('changed'), ended: () => seen.push('ended') });
  peer.rootsChanged();
  stop();
  peer.rootsChanged();
  peer.end();
  expect([seen, peer.watchers]).toEqual([['changed'], 0]);
});
