import { describe, expect, it } from 'vitest';
import { jsonText, type AskAnswer } from '../protocol/index.ts';
import type { Principal } from '../security/index.ts';
import { BoundedCount, Caps } from '../shared/index.ts';
import { resolveEndpoint, type Endpoint } from './endpoints.ts';
import type { EventSink } from './sessions/streams.ts';
import { Sessions, type Session } from './sessions.ts';
import { agent, requestOf, testGateway } from './testing.ts';

const client = { revision: '2025-11-25', info: undefined, capabilities: {} } as const;
const gateway = testGateway([{ name: 's' }]);

function endpointOf(name: string | undefined): Endpoint {
  const endpoint = resolveEndpoint(name, gateway.registry);
  if (endpoint === undefined) throw new Error('no endpoint');
  return endpoint;
}
const JOINED = endpointOf(undefined);
const as = (id: string): Principal => ({ ...agent, id });

function sessionsAt(clock: { time: number }, cap = 10): Sessions {
  const caps = new Caps();
  const asks = { open: new BoundedCount('client_asks', 10, caps), deadlineMs: 1000 };
  const { services } = gateway;
  return new Sessions({ cap, idleMs: 1000, caps, clock: { now: () => clock.time }, services, maxInFlight: 10, asks });
}

function at(clock: { time: number }): { sessions: Sessions; open: () => Session } {
  const sessions = sessionsAt(clock);
  return {
    sessions,
    open() {
      const session = sessions.open(as('key:1'), JOINED, client);
      if (session === undefined) throw new Error('full');
      return session;
    },
  };
}

/** Puts a call in flight; its cancellation comes back. */
function busyWith({ conversation }: Session, id: number): AbortController {
  const opened = conversation.flights.open(id);
  if ('code' in opened) throw new Error(opened.message);
  return opened;
}

class Sink implements EventSink {
  open = true;
  readonly behind = false;
  readonly #listeners: (() => void)[] = [];
  event(): void {}
  prime(): void {}
  end(): void {
    this.open = false;
    for (const listener of this.#listeners) listener();
  }
  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

describe('sweeping sessions', () => {
  it('keeps those with a call in flight or an open stream, however old, and drops the idle ones', () => {
    const clock = { time: 0 };
    const { sessions, open } = at(clock);
    const [busy, idle, listening] = [open(), open(), open()];
    busyWith(busy, 1);
    const sink = new Sink();
    listening.streams.listen(sink);
    clock.time = 1000;
    sessions.sweep();
    expect(sessions.size).toBe(2);
    expect(sessions.find(idle.id, 'key:1', '/mcp')).toBeUndefined();
    busy.conversation.flights.close(1);
    sink.end();
    clock.time = 1999;
    sessions.sweep();
    expect(sessions.size).toBe(2);
    clock.time = 2000;
    sessions.sweep();
    expect(sessions.size).toBe(0);
    sessions.close();
  });

  it('stops watching a minute after the last stream broke', () => {
    const clock = { time: 0 };
    const sessions = sessionsAt(clock);
    const session = sessions.open(as('key:1'), JOINED, client);
    const sink = new Sink();
    session?.streams.listen(sink);
    session?.conversation.hearing.through(session.streams);
    expect(gateway.services.hub.size).toBe(1);
    sink.end();
    for (const time of [0, 59_000, 60_000]) {
      clock.time = time;
      session?.tend(time);
      expect([time, gateway.services.hub.size]).toEqual([time, time < 60_000 ? 1 : 0]);
    }
    sessions.close();
  });

  it('aborts what is in flight when a session ends or the gateway closes', () => {
    const { sessions, open } = at({ time: 0 });
    const [ended, left] = [open(), open()];
    const calls = [busyWith(ended, 1), busyWith(left, 1)];
    sessions.end(ended);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    sessions.close();
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('shows a session to nobody but the principal and the endpoint that it was made for', () => {
    const { sessions, open } = at({ time: 0 });
    const { id } = open();
    expect(sessions.find(id, 'key:2', '/mcp')).toBeUndefined();
    expect(sessions.find(id, 'key:1', '/mcp/s')).toBeUndefined();
    expect(sessions.find(id, 'key:1', '/mcp')?.id).toBe(id);
    sessions.close();
  });

  it('let one principal fill its share only: its longest unused session goes first, never one with a call', () => {
    const sessions = sessionsAt({ time: 0 }, 4);
    const open = (who: string): Session | undefined => sessions.open(as(who), JOINED, client);
    const first = open('a');
    const second = open('a');
    sessions.find(first?.id ?? '', 'a', '/mcp');
    const third = open('a');
    expect(sessions.find(second?.id ?? '', 'a', '/mcp')).toBeUndefined();
    if (first !== undefined) busyWith(first, 1);
    open('a');
    expect(sessions.find(third?.id ?? '', 'a', '/mcp')).toBeUndefined();
    expect(sessions.find(first?.id ?? '', 'a', '/mcp')).toBe(first);
    expect(open('b')).toBeDefined();
    sessions.close();
  });
});

describe('subscriptions of a session', () => {
  it('are bounded in number and size', () => {
    const { sessions, open } = at({ time: 0 });
    const { conversation } = open();
    for (let i = 0; i < 1000; i++) expect(conversation.subscribe(`x:${i}`)).toBe(true);
    expect(conversation.subscribe('x:1000')).toBe(false);
    expect(conversation.subscribe('x:0')).toBe(true);
    conversation.unsubscribe('x:0');
    expect(conversation.subscribe(`x:${'y'.repeat(300_000)}`)).toBe(false);
    expect(conversation.subscribe('x:1000')).toBe(true);
    sessions.close();
  });
});

it('wait for no client any more when the gateway goes: its calls go on', async () => {
  const answers: (AskAnswer | undefined)[] = [];
  const asking = testGateway([
    {
      name: 's',
      async handle(_call, { ask, signal }) {
        answers.push(await ask?.({ method: 'roots/list', params: undefined }, signal));
        return { kind: 'complete', result: jsonText({ content: [] }) };
      },
    },
  ]);
  const { services, caps } = asking;
  const asks = { open: new BoundedCount('client_asks', 10, caps), deadlineMs: 60_000 };
  const sessions = new Sessions({ cap: 1, idleMs: 1000, caps, clock: services.clock, services, maxInFlight: 10, asks });
  const session = sessions.open(agent, JOINED, { ...client, capabilities: { roots: {} } });
  const sent: string[] = [];
  const outlet = { send: (text: string) => sent.push(text) > 0 };
  const call = requestOf('tools/call', { name: 's__echo', arguments: { text: 'x' } });
  const answer = session?.conversation.request(call, agent, 1, outlet);
  await expect.poll(() => sent.length).toBe(1);
  sessions.endAsks();
  expect((await answer)?.text).toContain('"result"');
  expect(answers).toMatchObject([{ error: { message: 'The gateway is shutting down.' } }]);
  sessions.close();
});
