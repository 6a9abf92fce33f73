import { describe, expect, it } from 'vitest';
import { Log, type LogOptions } from './log.ts';
import { Redactor } from './redact.ts';
import { record } from './test-support.ts';

const PLANTED = 'hunter2-planted-secret';

function logged(run: (log: Log) => void, options: Partial<LogOptions> = {}): Record<string, unknown>[] {
  const lines: string[] = [];
  const log = new Log({ level: 'debug', calls: true, redactor: new Redactor([PLANTED]), write: (line) => lines.push(line), ...options });
  run(log);
  void log.close();
  // A write holds whole lines: one, or a batch of them.
  const written = lines.join('');
  expect(lines.every((text) => text.endsWith('\n'))).toBe(true);
  expect(written).not.toContain(PLANTED);
  return written
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('Log.event', () => {
  it('is one JSON object per line with time, level and event', () => {
    const [line] = logged((log) => log.event('warn', 'server_down', { server: 'a\nb', attempt: 2 }));
    expect(line).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      event: 'server_down',
      server: 'a\nb',
      attempt: 2,
    });
  });

  it('says nothing below its level', () => {
    const say = (log: Log): void => (['debug', 'info', 'warn', 'error'] as const).forEach((level) => log.event(level, level));
    expect(logged(say, { level: 'warn' }).map(({ event }) => event)).toEqual(['warn', 'error']);
    expect(logged(say, { level: 'silent' })).toEqual([]);
  });

  it('takes whatever is thrown at it, without secrets', () => {
    const circle: Record<string, unknown> = { password: 'x', text: PLANTED };
    circle.self = circle;
    const bad = {
      get gone(): never {
        throw new Error('no');
      },
    };
    const lines = logged((log) =>
      log.event('error', 'e', { error: new Error(PLANTED, { cause: circle }), circle, bad, big: 1n, nan: Number.NaN, lone: '\ud800' }),
    );
    expect(lines).toMatchObject([
      { event: 'e', error: { name: 'Error', message: '[redacted]' }, bad: { gone: '[unreadable]' }, big: '1', nan: null },
    ]);
  });
});

describe('Log.calls', () => {
  it('is one line per call', () => {
    const [line] = logged((log) =>
      log.calls([
        record({
          startedAt: Date.UTC(2026, 0, 2),
          durationMs: 1.23456,
          stepNames: ['a'],
          stepMs: [0.12345],
          attempts: [{ server: 'up', via: 'local', durationMs: 0.98765, outcome: 'ok' }],
          traceId: 't'.repeat(32),
          clientName: 'agent',
        }),
      ]),
    );
    expect(line).toEqual({
      level: 'info',
      time: expect.any(String) as string,
      event: 'call',
      id: 'call_1',
      face: 'streamable-http',
      endpoint: '/mcp',
      revision: '2026-07-28',
      method: 'tools/call',
      principal: 'p',
      client: 'key',
      clientName: 'agent',
      server: 'up',
      tool: 'get',
      sideEffect: 'read',
      attempts: [{ server: 'up', via: 'local', durationMs: 0.988, outcome: 'ok' }],
      stepMs: { a: 0.123 },
      bytesIn: 10,
      bytesOut: 20,
      durationMs: 1.235,
      outcome: 'ok',
      traceId: 't'.repeat(32),
      at: '2026-01-02T00:00:00.000Z',
    });
  });

  it('a failed call is a warning, with its detail and without its secrets', () => {
    const lines = logged((log) =>
      log.calls([
        record({
          outcome: 'failed',
          errorCode: 'busy',
          errorDetail: new Error(PLANTED),
          clientName: PLANTED,
          tool: PLANTED,
          notValidated: [PLANTED],
        }),
      ]),
    );
    expect(lines).toMatchObject([
      { level: 'warn', errorCode: 'busy', errorDetail: { message: '[redacted]' }, notValidated: ['[redacted]'] },
    ]);
  });

  it('a batch is as many lines, whatever stands in them', () => {
    const lines = logged((log) =>
      log.calls([record({ tool: 'a\nb' }), record({ clientName: '\u2028\ud800"', errorDetail: { big: 1n } }), record()]),
    );
    expect(lines.map(({ tool }) => tool)).toEqual(['a\nb', 'get', 'get']);
  });

  it('can be turned off, and keeps to the level', () => {
    expect(logged((log) => log.calls([record()]), { calls: false })).toEqual([]);
    expect(logged((log) => log.calls([record(), record({ outcome: 'failed' })]), { level: 'warn' })).toHaveLength(1);
  });
});
