import { afterEach, describe, expect, it } from 'vitest';
import type { Connection, Reply } from '../connection.ts';
import { callTool, Heard, open, request, said, type Opened, type OpenMore } from '../connections-kit.ts';
import { stdioConfig, until } from '../test-kit.ts';

/** What belongs to which request on a channel that all messages share, and children that misbehave (S26 stdio; PROTOCOL A2, C16). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

/**
 * A child whose behaviour is a piece of code: `on(message)` is called for what is not part of the handshake; `say(...)` writes messages,
 * `era` is what it speaks.
 */
const PRELUDE = `
const { createInterface } = require('node:readline');
const text = (value) => ({ content: [{ type: 'text', text: String(value) }] });
const write = (line) => process.stdout.write(line + '\\n');
const say = (...messages) => write(messages.map((message) => JSON.stringify({ jsonrpc: '2.0', ...message })).join('\\n'));
const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.on('line', (line) => {
  const { id, method, params, ...rest } = JSON.parse(line);
  if (method === 'server/discover')
    say(era === 'modern' ? { id, result: { supportedVersions: ['2026-07-28'], capabilities: {} } } : { id, error: { code: -32601, message: 'no' } });
  else if (method === 'initialize') say({ id, result: { protocolVersion: '2025-11-25', capabilities: {} } });
  else if (method !== 'notifications/initialized') on({ id, method, params, name: params?.name, ...rest });
});
`;

async function child(era: 'modern' | 'legacy', on: string, more: OpenMore = {}): Promise<Opened> {
  const script = `const era = '${era}'; ${PRELUDE} const on = ({ id, method, params, name, result, error }) => { ${on} };`;
  const config = stdioConfig('one', [], { args: ['-e', script], roots: [{ uri: 'file:///data' }] });
  const opened = await open(config, { era, ...more });
  ends.push(() => opened.connection.close());
  return opened;
}

function heard(connection: Connection): Heard {
  const one = new Heard();
  connection.listen(one);
  return one;
}

/** What the child has been answered, once it is as many answers. */
async function answered(connection: Connection, count: number): Promise<Record<string, unknown>> {
  for (;;) {
    const text = said(await callTool(connection, 'seen'));
    const seen = text === 'undefined' ? {} : (JSON.parse(text) as Record<string, unknown>);
    if (Object.keys(seen).length >= count) return seen;
  }
}

const ECHO = `if (method === 'tools/call') say({ id, result: text(name) });`;

describe('notifications', () => {
  it('progress belongs to the call with its token, while it runs', async () => {
    const { connection } = await child(
      'legacy',
      `const note = (progressToken) => ({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
       if (name === 'first') globalThis.first = id;
       if (name === 'second') say(note(1), note(2), note('1'), note(99), { id: globalThis.first, result: text('one') }, note(1), note(2), { id, result: text('two') });`,
    );
    const { notifications } = heard(connection);
    const own: number[] = [];
    const call = (name: string, progressToken: number): Promise<Reply> =>
      callTool(connection, name, {}, { progressToken, onNotification: () => own.push(progressToken) });
    expect((await Promise.all([call('first', 1), call('second', 2)])).map(said)).toEqual(['one', 'two']);
    expect(own).toEqual([1, 2, 2]);
    expect(notifications).toEqual([]);
  });

  it('those of a subscription belong to its request, which has no deadline and is told when it is given up', async () => {
    verifies('stdio-correlate', 'listen-client-correlate');
    const { connection } = await child(
      'modern',
      `const note = (id, method) => ({ method, params: { _meta: { 'io.modelcontextprotocol/subscriptionId': id } } });
       if (method === 'subscriptions/listen') { globalThis.listen = id; say(note(id, 'notifications/subscriptions/acknowledged')); }
       if (method === 'notifications/cancelled') globalThis.cancelled = params.requestId === globalThis.listen;
       if (method === 'tools/call') say(note(globalThis.listen, 'notifications/tools/list_changed'), note(id, 'notifications/foreign'), note('x', 'notifications/foreign'),
         { method: 'notifications/message', params: {} }, { id, result: text(globalThis.cancelled) });`,
    );
    const listener = heard(connection);
    const own: string[] = [];
    const controller = new AbortController();
    const listening = connection.exchange(
      request(
        connection,
        'subscriptions/listen',
        {},
        { expiresAt: Infinity, signal: controller.signal, onNotification: (method) => own.push(method) },
      ),
    );
    await until(() => own.length === 1);
    expect(connection.inFlight).toBe(0);
    expect(said(await callTool(connection, 'any'))).toBe('undefined');
    expect(own).toEqual(['notifications/subscriptions/acknowledged', 'notifications/tools/list_changed']);
    controller.abort();
    expect(said(await listening)).toBe('failed canceled unknown');
    expect(said(await callTool(connection, 'any'))).toBe('true');
    expect(own).toHaveLength(2);
    expect(listener.notifications.map(({ method }) => method)).toEqual(['notifications/message', 'notifications/message']);
  });
});

describe('requests of the child', () => {
  const ASKING = `
    if (name === 'ask') { globalThis.call = id; say({ id: 'a1', method: 'elicitation/create', params: { message: 'name?' } }, { id: 2, method: 'ping' }, { id: 3, method: 'roots/list' }); }
    if (name === 'cancel') say({ id: 'a2', method: 'elicitation/create', params: {} }, { method: 'notifications/cancelled', params: { requestId: 'a2' } });
    if (name === 'many') for (let i = 0; i < 150; i++) say({ id: 'm' + i, method: 'sampling/createMessage' });
    if (name === 'seen') say({ id, result: text(JSON.stringify(globalThis.seen)) });
    if (method === undefined) (globalThis.seen ??= {})[id] = result ?? error.code;
    if (id === 'a1') say({ id: globalThis.call, result: text(result.action) });`;

  it('of a legacy one are answered', async () => {
    const { connection } = await child('legacy', ASKING);
    const listener = heard(connection);
    listener.answer = ({ method }) =>
      method === 'roots/list' ? { error: { code: -1, message: '' } } : { result: { text: '{"action":"accept"}', value: {} } };
    expect(said(await callTool(connection, 'ask'))).toBe('accept');
    expect(listener.requests.map(({ message, exchange }) => [message.method, exchange])).toEqual([
      ['elicitation/create', undefined],
      ['roots/list', undefined],
    ]);
    expect(await answered(connection, 3)).toMatchObject({ 2: {}, 3: -1 });
  });

  it('are refused and answered from the configuration while nobody listens', async () => {
    const { connection } = await child(
      'legacy',
      `${ASKING} if (name === 'ask') say({ id, result: text('sent') });`.replace(`if (id === 'a1')`, 'if (false)'),
    );
    expect(said(await callTool(connection, 'ask'))).toBe('sent');
    expect(await answered(connection, 3)).toEqual({ a1: -32602, 2: {}, 3: { roots: [{ uri: 'file:///data' }] } });
  });

  it('are aborted when it cancels them or ends, and no more than 100 are open', async () => {
    const { connection } = await child('legacy', ASKING);
    const listener = heard(connection);
    listener.answer = (_message, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: { code: -7, message: 'late' } })));
    const hanging = [callTool(connection, 'cancel'), callTool(connection, 'many')];
    await until(() => listener.requests.length === 101);
    expect(listener.requests[0]?.signal.aborted).toBe(true);
    const seen = await answered(connection, 50);
    expect(Object.keys(seen)).toHaveLength(50);
    expect(new Set(Object.values(seen))).toEqual(new Set([-32603]));
    process.kill(connection.pid as number, 'SIGKILL');
    expect((await Promise.all(hanging)).map(said)).toEqual(['failed outcome_unknown unknown', 'failed outcome_unknown unknown']);
    expect(listener.requests.every(({ signal }) => signal.aborted)).toBe(true);
  });

  it('of a modern one are told of once and not answered', async () => {
    verifies('stdio-client-no-response');
    const { connection, events } = await child(
      'modern',
      `${ASKING} if (name === 'ask') say({ id: 9, method: 'ping' }, { id, result: text('sent') });`,
    );
    const listener = heard(connection);
    expect(said(await callTool(connection, 'ask'))).toBe('sent');
    expect(said(await callTool(connection, 'seen'))).toBe('undefined');
    expect(listener.requests).toEqual([]);
    const told = events.filter(({ kind }) => kind === 'server_request');
    expect(told.map((event) => 'method' in event && event.method)).toEqual(['elicitation/create', 'ping', 'roots/list']);
  });
});

describe('a child that misbehaves', () => {
  it('answering twice or under an unknown id harms nobody', async () => {
    verifies('cancel-client-races');
    const { connection } = await child(
      'modern',
      `say({ id: 99999, result: {} }, { id: 'x', result: {} }, { id: null, error: { code: 1, message: '' } }, { id, result: text('first') }, { id, result: text('second') });`,
    );
    for (let i = 0; i < 3; i++) expect(said(await callTool(connection, 'any'))).toBe('first');
    expect(connection.inFlight).toBe(0);
  });

  it('answering before it was asked answers nobody', async () => {
    const { connection } = await child(
      'modern',
      `if (name === 'early') say({ id: id + 1, result: text('guessed') }, { id, result: text('mine') }); else say({ id, result: text('real') });`,
    );
    expect(said(await callTool(connection, 'early'))).toBe('mine');
    expect(said(await callTool(connection, 'late'))).toBe('real');
  });

  it('sending 100,000 notifications slows down itself, and calls get their answers', async () => {
    const { connection } = await child(
      'legacy',
      `if (name === 'flood') { const line = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } });
         write(Array(100000).fill(line).join('\\n')); say({ id, result: text('done') }); } else say({ id, result: text(name) });`,
      { limits: { noiseBytes: 1024 * 1024 } },
    );
    const other = await child('legacy', ECHO);
    let count = 0;
    connection.listen({ onRequest: () => Promise.reject(new Error('none')), onNotification: () => count++ });
    let over = false;
    const flooded = callTool(connection, 'flood').finally(() => (over = true));
    let served = 0;
    while (!over) {
      expect(said(await callTool(other.connection, 'other'))).toBe('other');
      served++;
    }
    expect(said(await flooded)).toBe('done');
    expect(count).toBe(100_000);
    expect(served).toBeGreaterThan(10);
  });

  it('that stops reading gets no more than the limit; further calls are refused, others go on', async () => {
    const { connection } = await child('modern', `lines.pause(); process.stdin.pause(); setInterval(() => undefined, 1000);`, {
      limits: { stdinBytes: 1024 * 1024 },
    });
    const other = await child('modern', ECHO);
    void callTool(connection, 'stop');
    const text = 'x'.repeat(512 * 1024);
    const replies: Promise<Reply>[] = [];
    for (let i = 0; i < 20; i++) {
      replies.push(callTool(connection, 'any', { text }, { expiresAt: performance.now() + 200 }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const ended = new Set((await Promise.all(replies)).map(said));
    expect(ended).toContain('failed busy no');
    for (const outcome of ended) expect(outcome).toMatch(/^failed (busy no|deadline_exceeded (no|unknown))$/);
    expect(said(await callTool(other.connection, 'other'))).toBe('other');
  });
});
