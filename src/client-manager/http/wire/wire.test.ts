import fc from 'fast-check';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Dispatcher } from 'undici';
import { WirePool } from './pool.ts';
import { HeadCache, ResponseParser } from './response-parser.ts';

interface Told {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  end: 'reusable' | 'closes' | undefined;
}

function parse(pieces: readonly Buffer[], closes = false): Told {
  const told: Told = { status: 0, headers: {}, body: '', end: undefined };
  const bytes: Buffer[] = [];
  const parser = new ResponseParser(new HeadCache());
  parser.expect({
    onHead: (status, headers) => Object.assign(told, { status, headers }),
    onBody: (piece) => bytes.push(Buffer.from(piece)),
    onEnd: (reusable) => (told.end = reusable ? 'reusable' : 'closes'),
  });
  for (const piece of pieces) parser.feed(piece);
  if (closes) parser.close();
  told.body = Buffer.concat(bytes).toString('utf8');
  return told;
}

const parseText = (text: string, closes = false): Told => parse([Buffer.from(text)], closes);

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe('ResponseParser (RFC 9112)', () => {
  it('reads a body of known length, with header names in lower case', () => {
    expect(parseText('HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX: 1\r\nx:  2 \r\nContent-Length: 2\r\n\r\nhi')).toEqual({
      status: 200,
      headers: { 'content-type': 'a/b', x: '1, 2', 'content-length': '2' },
      body: 'hi',
      end: 'reusable',
    });
  });

  it.each([
    [
      'chunks with extensions and trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n',
      'abc0123456789',
      'reusable',
    ],
    ['an empty body', 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n', '', 'reusable'],
    ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', '', 'reusable'],
    ['an interim response', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na', 'a', 'reusable'],
    ['a server that closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na', 'a', 'closes'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na', 'a', 'closes'],
    [
      'a second response that nobody asked for',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb',
      'a',
      'closes',
    ],
  ])('%s', (_what, text, body, end) => {
    expect(parseText(text)).toMatchObject({ body, end });
  });

  it('a body without a length ends with the connection', () => {
    expect(parseText('HTTP/1.1 200 OK\r\n\r\nabc', true)).toMatchObject({ body: 'abc', end: 'closes' });
    expect(parseText('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', true).end).toBeUndefined();
  });

  it.each([
    'HTTP/2 200 OK\r\n\r\n',
    'SSH-2.0-x\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\n folded: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1'.repeat(20_000)}`,
  ])('refuses %j', (text) => {
    expect(() => parseText(text)).toThrow();
  });

  it('reads the same however the bytes are cut', () => {
    const body = fc.string({ unit: 'grapheme', maxLength: 60 });
    const chunked = fc
      .array(
        body.filter((text) => text !== ''),
        { maxLength: 5 },
      )
      .map((chunks) => {
        const lines = chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`);
        return { text: `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${lines.join('')}0\r\n\r\n`, expected: chunks.join('') };
      });
    const plain = body.map((text) => ({
      text: `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      expected: text,
    }));
    fc.assert(
      fc.property(fc.oneof(chunked, plain), fc.array(fc.nat()), ({ text, expected }, places) => {
        expect(parse(cut(Buffer.from(text), places))).toMatchObject({ status: 200, body: expected, end: 'reusable' });
      }),
    );
  });

  it('never throws anything but an error of its own on rubbish', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (rubbish, headed) => {
        const head = Buffer.from(headed ? 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' : '');
        try {
          parse([head, Buffer.from(rubbish)], true);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('HPE_INVALID_RESPONSE');
        }
      }),
    );
  });
});

interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
}

function ask(pool: WirePool, body = 'x', headers: readonly string[] = ['content-type', 'text/plain']): Promise<Answer> {
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_control, code) => void (status = code),
      onResponseData: (_control, piece) => void (text += piece.toString('utf8')),
      onResponseEnd: () => resolve({ status, body: text }),
      onResponseError: (_control, error) => resolve({ error: (error as { code?: string }).code ?? error.message }),
    };
    pool.dispatch({ path: '/p?q', method: 'POST', headers, body }, handler);
  });
}

describe('WirePool', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  /** A server that answers whatever `answer` says to each request text. */
  async function server(
    answer: (request: string, socket: Socket) => string | undefined,
  ): Promise<{ url: string; sockets: Set<Socket>; seen: string[] }> {
    const sockets = new Set<Socket>();
    const seen: string[] = [];
    const listener: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (bytes: Buffer) => {
        seen.push(bytes.toString('utf8'));
        const text = answer(bytes.toString('utf8'), socket);
        if (text !== undefined) socket.write(text);
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => listener.close(resolve));
    });
    return { url: `http://127.0.0.1:${(listener.address() as { port: number }).port}`, sockets, seen };
  }

  function pool(url: string, connections = 2, keepAliveMs = 4_000): WirePool {
    const made = new WirePool(url, { connections, connectMs: 2_000, keepAliveMs });
    ends.push(() => made.destroy(new Error('over')));
    return made;
  }

  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  it('sends a request as HTTP wants it and uses the connection again', async () => {
    const { url, seen, sockets } = await server(() => OK);
    const one = pool(url);
    expect(await ask(one, 'bödy')).toEqual({ status: 200, body: 'ok' });
    expect(await ask(one)).toEqual({ status: 200, body: 'ok' });
    expect(sockets.size).toBe(1);
    expect(seen[0]).toBe(
      `POST /p?q HTTP/1.1\r\nhost: ${url.slice(7)}\r\nconnection: keep-alive\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nbödy`,
    );
  });

  it('has no more connections than it may, and answers everybody in turn', async () => {
    const { url, sockets } = await server(() => OK);
    const one = pool(url, 3);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(one)));
    expect(answers.every(({ body }) => body === 'ok')).toBe(true);
    expect(sockets.size).toBeLessThanOrEqual(3);
  });

  it('a header value that could break the head is refused before anything leaves', async () => {
    const { url, seen } = await server(() => OK);
    const one = pool(url);
    expect(await ask(one, 'x', ['mcp-method', 'a\r\nevil: 1'])).toEqual({ error: 'UND_ERR_INVALID_ARG' });
    expect(await ask(one, 'x', ['mcp-method', '日本'])).toEqual({ error: 'UND_ERR_INVALID_ARG' });
    expect(seen).toEqual([]);
    expect(await ask(one, 'é', ['x-name', 'é'])).toEqual({ status: 200, body: 'ok' });
  });

  it('a second answer is never the next request’s', async () => {
    let n = 0;
    const { url } = await server(() =>
      `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${++n}`.concat(n === 1 ? 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX' : ''),
    );
    const one = pool(url, 1);
    expect((await Promise.all([ask(one), ask(one), ask(one)])).map(({ body }) => body)).toEqual(['1', '2', '3']);
  });

  it('tells what went wrong by code', async () => {
    const closing = await server((_request, socket) => void socket.destroy());
    expect(await ask(pool(closing.url))).toEqual({ error: 'UND_ERR_SOCKET' });
    const rubbish = await server(() => 'rubbish\r\n\r\n');
    expect(await ask(pool(rubbish.url))).toEqual({ error: 'HPE_INVALID_RESPONSE' });
    expect(await ask(pool('http://127.0.0.1:1'))).toEqual({ error: 'ECONNREFUSED' });
    const short = await server((_request, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'));
    expect(await ask(pool(short.url))).toEqual({ error: 'UND_ERR_SOCKET' });
  });

  it('a connection that the server closed while it was idle is not used again', async () => {
    const { url, sockets } = await server(() => OK);
    const one = pool(url);
    await ask(one);
    for (const socket of sockets) socket.end();
    while (one.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await ask(one)).toEqual({ status: 200, body: 'ok' });
  });

  it('closes idle connections', async () => {
    const { url, sockets } = await server(() => OK);
    const one = pool(url, 4, 40);
    await Promise.all([ask(one), ask(one), ask(one)]);
    while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(one.size).toBe(0);
  });

  it('an aborted request ends its connection and nobody else’s', async () => {
    const { url } = await server((request) => (request.includes('slow') ? undefined : OK));
    const one = pool(url);
    const aborted = new Promise<string>((resolve) => {
      let control: Dispatcher.DispatchController | undefined;
      one.dispatch(
        { path: '/', method: 'POST', headers: [], body: 'slow' },
        {
          onRequestStart: (given) => {
            control = given;
            setTimeout(() => control?.abort(Object.assign(new Error('enough'), { code: 'MINE' })), 20);
          },
          onResponseError: (_control, error) => resolve((error as { code?: string }).code ?? ''),
        },
      );
    });
    expect(await ask(one)).toEqual({ status: 200, body: 'ok' });
    expect(await aborted).toBe('MINE');
    expect(await ask(one)).toEqual({ status: 200, body: 'ok' });
  });

  it('a request given up before it was sent leaves no byte', async () => {
    const { url, seen } = await server(() => OK);
    const one = pool(url);
    await ask(one);
    const code = await new Promise((resolve) => {
      one.dispatch(
        { path: '/', method: 'POST', headers: [], body: 'never' },
        { onRequestStart: (control) => control.abort(new Error('no')), onResponseError: (_control, error) => resolve(error.message) },
      );
    });
    expect(code).toBe('no');
    expect(await ask(one)).toEqual({ status: 200, body: 'ok' });
    expect(seen.some((text) => text.includes('never'))).toBe(false);
  });

  it('pausing holds back the server', async () => {
    const size = 8 * 1024 * 1024;
    let sent = 0;
    const { url } = await server((_request, socket) => {
      const piece = Buffer.alloc(64 * 1024, 97);
      const more = (): void => {
        while (sent < size) {
          sent += piece.length;
          if (!socket.write(piece)) return void socket.once('drain', more);
        }
      };
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      more();
      return undefined;
    });
    let got = 0;
    let control: Dispatcher.DispatchController | undefined;
    const end = new Promise((resolve) => {
      pool(url).dispatch(
        { path: '/', method: 'GET', headers: [] },
        {
          onResponseStart: (given) => {
            control = given;
            given.pause();
          },
          onResponseData: (_control, piece) => void (got += piece.length),
          onResponseEnd: () => resolve(undefined),
        },
      );
    });
    while (control === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent).toBeLessThan(size);
    control.resume();
    await end;
    expect(got).toBe(size);
  });

  it('ends what is under way when it is destroyed', async () => {
    const { url } = await server(() => undefined);
    const one = pool(url, 1);
    const asked = [ask(one), ask(one)];
    await new Promise((resolve) => setTimeout(resolve, 20));
    await one.destroy(Object.assign(new Error('over'), { code: 'OVER' }));
    expect(await Promise.all(asked)).toEqual([{ error: 'OVER' }, { error: 'OVER' }]);
    expect(await ask(one)).toEqual({ error: 'UND_ERR_DESTROYED' });
  });
});
