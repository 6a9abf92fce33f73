import { describe, expect, it } from 'vitest';
import { Caps } from '../shared/index.ts';
import { Sessions, type Session } from './sessions.ts';

const client = { revision: '2025-11-25', info: undefined, capabilities: {} } as const;

function at(clock: { time: number }): { sessions: Sessions; open: () => Session } {
  const sessions = new Sessions({ cap: 10, idleMs: 1000, caps: new Caps(), clock: { now: () => clock.time } });
  return {
    sessions,
    open() {
      const session = sessions.open('key:1', '/mcp', client);
      if (session === undefined) throw new Error('full');
      return session;
    },
  };
}

/** A loop without an end would end no test: it is cut here. */
function countReads(session: Session): void {
  const { inFlight } = session;
  let reads = 0;
  Object.defineProperty(inFlight, 'size', {
    get: () => {
      if (++reads > 100) throw new Error('the sweep goes on and on');
      return [...inFlight.keys()].length;
    },
  });
}

describe('sweeping sessions', () => {
  it('keeps those with a call in flight, however old, and drops the idle ones', () => {
    const clock = { time: 0 };
    const { sessions, open } = at(clock);
    const [busy, idle, alsoBusy] = [open(), open(), open()];
    for (const session of [busy, alsoBusy]) {
      session.inFlight.set('1', new AbortController());
      countReads(session);
    }
    clock.time = 1000;
    sessions.sweep();
    expect(sessions.size).toBe(2);
    expect(sessions.find(idle.id, 'key:1', '/mcp')).toBeUndefined();
    busy.inFlight.clear();
    alsoBusy.inFlight.clear();
    clock.time = 1999;
    sessions.sweep();
    expect(sessions.size).toBe(2);
    clock.time = 2000;
    sessions.sweep();
    expect(sessions.size).toBe(0);
    sessions.close();
  });

  it('aborts what is in flight when a session ends or the gateway closes', () => {
    const { sessions, open } = at({ time: 0 });
    const [ended, left] = [open(), open()];
    const calls = [new AbortController(), new AbortController()] as const;
    ended.inFlight.set('1', calls[0]);
    left.inFlight.set('1', calls[1]);
    sessions.end(ended);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    sessions.close();
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('shows a session to nobody but the principal and the endpoint that it was made for', () => {
    const { sessions, open } = at({ time: 0 });
    const { id } = open();
    expect(sessions.find(id, 'key:2', '/mcp')).toBeUndefined();
    expect(sessions.find(id, 'key:1', '/mcp/other')).toBeUndefined();
    expect(sessions.find(id, 'key:1', '/mcp')?.id).toBe(id);
    sessions.close();
  });

  it('let one principal fill its share only: its longest unused session goes first, never one with a call', () => {
    const sessions = new Sessions({ cap: 4, idleMs: 1000, caps: new Caps(), clock: { now: () => 0 } });
    const first = sessions.open('a', '/mcp', client);
    const second = sessions.open('a', '/mcp', client);
    sessions.find(first?.id ?? '', 'a', '/mcp');
    const third = sessions.open('a', '/mcp', client);
    expect(sessions.find(second?.id ?? '', 'a', '/mcp')).toBeUndefined();
    first?.inFlight.set('1', new AbortController());
    sessions.open('a', '/mcp', client);
    expect(sessions.find(third?.id ?? '', 'a', '/mcp')).toBeUndefined();
    expect(sessions.find(first?.id ?? '', 'a', '/mcp')).toBe(first);
    expect(sessions.open('b', '/mcp', client)).toBeDefined();
    sessions.close();
  });
});
