import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLOSE_CAP_MS, ONE_REQUEST_MS, Shutdown } from './shutdown.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function harness() {
  const signals = new EventEmitter();
  const exits: number[] = [];
  const notes: string[] = [];
  let time = 0;
  const shutdown = new Shutdown({ signals, exit: (code) => exits.push(code), note: (text) => notes.push(text), now: () => time });
  const pass = (ms: number): void => {
    time += ms;
    vi.advanceTimersByTime(ms);
  };
  return { signals, exits, notes, shutdown, pass };
}

describe('Shutdown', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('%s asks for the end', async (signal) => {
    const { signals, shutdown, exits } = harness();
    signals.emit(signal);
    await shutdown.requested;
    expect(shutdown.signal.aborted).toBe(true);
    expect(shutdown.failed).toBe(false);
    expect(exits).toEqual([]);
    shutdown.dispose();
  });

  it('counts the same request within two seconds once, and a later one as force', () => {
    const { signals, shutdown, exits, pass } = harness();
    signals.emit('SIGINT');
    signals.emit('SIGINT');
    pass(ONE_REQUEST_MS - 1);
    signals.emit('SIGINT');
    expect(exits).toEqual([]);
    pass(1);
    signals.emit('SIGINT');
    expect(exits).toEqual([1]);
    shutdown.dispose();
  });

  it('ends what hangs', () => {
    const { signals, shutdown, exits, pass } = harness();
    signals.emit('SIGTERM');
    pass(CLOSE_CAP_MS - 1);
    expect(exits).toEqual([]);
    pass(1);
    expect(exits).toEqual([1]);
    shutdown.dispose();
  });

  it('a defect closes too, and counts as a failure even when it comes late', async () => {
    const { signals, shutdown, notes } = harness();
    signals.emit('SIGTERM');
    signals.emit('uncaughtException', new Error('boom'));
    await shutdown.requested;
    expect(shutdown.failed).toBe(true);
    expect(notes.join()).toContain('boom');
    shutdown.dispose();
  });

  it('the end of the launcher is a request', async () => {
    const { signals, shutdown } = harness();
    signals.emit('disconnect');
    await shutdown.requested;
    expect(shutdown.failed).toBe(false);
    shutdown.dispose();
  });

  it('leaves nothing behind', () => {
    const { signals, shutdown, exits, pass } = harness();
    signals.emit('SIGTERM');
    shutdown.dispose();
    pass(CLOSE_CAP_MS);
    expect(exits).toEqual([]);
    expect(signals.eventNames()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
