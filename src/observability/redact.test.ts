import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from './redact.ts';

const PLANTED = 'hunter2-planted-secret';
const redactor = new Redactor([PLANTED]);
const shown = (value: unknown): string => JSON.stringify(redactor.value(value)) ?? '';

describe('Redactor.text', () => {
  it.each([
    ['our key', 'key spk_0123456789abcdef used'],
    ['a bearer token', 'Authorization: Bearer abc.DEF-123_x~+/=='],
    ['one in lower case', 'authorization: bearer abcdefgh12345678'],
    ['basic credentials', 'Basic dXNlcjpwYXNz'],
    ['basic in lower case', 'basic dXNlcjpwYXNz'],
    ['a vendor key', 'sk-ant-api03-abcdefghijklmnop'],
    ['a GitHub token', 'github_pat_11ABCDEFG0abcdefghij ghp_abcdefghijkl1234 ghs_abcdefghijkl1234'],
    ['an AWS key', 'AKIAIOSFODNN7EXAMPLE'],
    ['a Google key', `AIza${'a'.repeat(35)}`],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln'],
    ['a password in a URL', 'postgres://app:p%40ss!word@db:5432/x'],
    ['a password without user', 'redis://:p%40ss!word@cache'],
    ['a known secret', `it is ${PLANTED}!`],
  ])('masks %s', (_what, text) => {
    const masked = redactor.text(text);
    expect(masked).toContain('[redacted]');
    expect(masked).not.toMatch(/0123456789abcdef|DEF-123|abcdefgh|dXNl|IOSFODNN|aaaaa|eyJzdWI|p%40ss|planted/);
  });

  it.each([
    'get_stock_price failed: HTTP 500',
    'basic information about tokens',
    'http://127.0.0.1:8080/mcp',
    'a@b.com',
    'the bearer of it',
    'call_0abcdefghijklmnop',
    'AAPL,MSFT',
  ])('leaves %j', (text) => {
    expect(redactor.text(text)).toBe(text);
  });

  it('masks a known secret as it stands in a URL and in JSON', () => {
    const secret = 'p"a\\ss word/+ü';
    const known = new Redactor([secret]);
    for (const text of [secret, encodeURIComponent(secret), JSON.stringify({ a: secret })])
      expect(known.text(`x ${text} y`)).not.toMatch(/ss|word/);
    expect(() => new Redactor(['\ud800 not well formed'])).not.toThrow();
  });

  it('masks the longer of two secrets first, and ignores those that are ordinary text', () => {
    expect(new Redactor(['abcdef', 'abcdefghijkl']).text('abcdefghijkl')).toBe('[redacted]');
    expect(new Redactor(['port', '']).text('port 80')).toBe('port 80');
  });

  it('cuts long texts', () => {
    expect(redactor.text('x'.repeat(2000))).toHaveLength(2000);
    expect(redactor.text('x'.repeat(5_000_000))).toBe(`${'x'.repeat(2000)}...`);
  });

  it('shows no part of a secret that crosses the cut, wherever it stands', () => {
    const secret = `${PLANTED}-${'0123456789'.repeat(5)}`;
    const long = `L0NG${'abcdefghij'.repeat(600)}`;
    const crossing = new Redactor([secret, long]);
    for (let at = 1900; at <= 2010; at++) {
      const text = `${' '.repeat(at)}${secret} ${'y'.repeat(9000)}`;
      expect(crossing.text(text)).not.toMatch(/hunt|planted|01234/);
      expect(crossing.text(`${' '.repeat(at)}Bearer ${'Zz9'.repeat(2000)}`)).not.toMatch(/Zz9/);
    }
    for (let at = 0; at <= 9000; at += 250) {
      // What was masked makes the text shorter: what stood behind the cut must not move in front of it half read.
      const text = `${' '.repeat(at)}${long}${' '.repeat(300)}${secret.repeat(40)}`;
      expect(crossing.text(text)).not.toMatch(/L0NG|abcdefghij|hunt|planted|01234/);
    }
  });
});

describe('Redactor.name', () => {
  it('masks as text does, the first time and every time, however many names there are', () => {
    for (let i = 0; i < 3000; i++) expect(redactor.name(`tool-${i % 1500} ${PLANTED}`)).toBe(`tool-${i % 1500} [redacted]`);
    expect(redactor.name('x'.repeat(5000))).toBe(redactor.text('x'.repeat(5000)));
  });
});

describe('Redactor.value', () => {
  it('masks by key, at any depth, and keeps what has no value', () => {
    const keys = [
      'password',
      'passwd',
      'Passphrase',
      'apiKey',
      'api_key',
      'api-key',
      'APCA-API-SECRET-KEY',
      'clientSecret',
      'Set-Cookie',
      'authorization',
      'refresh_token',
      'privateKey',
      'credentials',
    ];
    for (const key of keys)
      expect(shown({ a: [{ [key]: PLANTED, other: 1 }] })).toBe(JSON.stringify({ a: [{ [key]: '[redacted]', other: 1 }] }));
    expect(redactor.value({ token: undefined, limit: 0 })).toEqual({ token: undefined, limit: 0 });
    expect(shown({ token: { nested: PLANTED } })).toBe('{"token":"[redacted]"}');
  });

  it.each<[string, unknown]>([
    ['text', PLANTED],
    ['a key', { [PLANTED]: 1 }],
    ['an array', [[[PLANTED]]]],
    ['an error', new Error(PLANTED)],
    ['its name', Object.assign(new Error('x'), { name: PLANTED })],
    ['its cause', new Error('x', { cause: new Error('y', { cause: { text: PLANTED } }) })],
    ['its detail', Object.assign(new Error('x'), { detail: { body: PLANTED }, code: PLANTED })],
    ['its parts', new AggregateError([new Error(PLANTED)], 'x')],
    ['its own members', Object.assign(new Error('x'), { response: PLANTED })],
    ['its stack', Object.assign(new Error('x'), { stack: PLANTED })],
    ['a map', new Map([[PLANTED, PLANTED]])],
    ['a map by key', new Map([['password', 'short']])],
    ['a set', new Set([PLANTED])],
    ['a URL', new URL(`https://u:${PLANTED}@h/`)],
    ['bytes', Buffer.from(PLANTED)],
    ['a typed array', new Uint8Array(Buffer.from(PLANTED))],
    [
      'a getter',
      {
        get text() {
          return PLANTED;
        },
      },
    ],
  ])('shows no secret of %s', (_what, value) => {
    const plain = shown(value);
    expect(plain).not.toContain(PLANTED);
    expect(plain).not.toContain('short');
    expect(plain).not.toContain(Buffer.from(PLANTED).join(','));
  });

  it('says what things are', () => {
    const date = new Date(0);
    expect(
      redactor.value({
        date,
        no: new Date(Number.NaN),
        big: 10n ** 30n,
        fn: () => 1,
        sym: Symbol('s'),
        map: new Map([['a', 1]]),
        set: new Set([1]),
        none: null,
        bytes: new Uint8Array(7),
      }),
    ).toEqual({
      date: date.toISOString(),
      no: null,
      big: `1${'0'.repeat(30)}`,
      fn: undefined,
      sym: undefined,
      map: { a: 1 },
      set: [1],
      none: null,
      bytes: '[7 bytes]',
    });
    expect(redactor.value(Object.assign(new TypeError('m'), { code: 'E' }))).toEqual({ name: 'TypeError', message: 'm', code: 'E' });
  });

  it('ends on circles, however wide', () => {
    const wide: Record<string, unknown> = {};
    for (let i = 0; i < 50; i++) wide[`k${i}`] = wide;
    expect(shown(wide).length).toBeLessThan(100_000);
    const error = new Error('x');
    error.cause = error;
    expect(shown(error).length).toBeLessThan(10_000);
    expect(shown(Array.from({ length: 50 }, () => Array.from({ length: 50 }, () => 'x'.repeat(2000)))).length).toBeLessThan(100_000);
    const list: unknown[] = [];
    for (let i = 0; i < 50; i++) list.push(list);
    expect(shown(list).length).toBeLessThan(100_000);
  });

  it('is bounded in items, keys, bytes, depth and entries', () => {
    expect(redactor.value(Array.from({ length: 1_000_000 }, (_, i) => i))).toHaveLength(50);
    expect(Object.keys(redactor.value(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, i]))) as object)).toHaveLength(
      50,
    );
    expect(redactor.value(Buffer.alloc(50_000_000))).toBe('[50000000 bytes]');
    expect(redactor.value(new Set(Array.from({ length: 1000 }, (_, i) => i)))).toHaveLength(50);
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = { deep };
    expect(shown(deep)).toContain('[deep]');
    expect(shown({ text: 'x'.repeat(1_000_000) }).length).toBeLessThan(3000);
  });

  it('never throws: getters, proxies and methods that do', () => {
    const thrower = {
      good: 1,
      get bad(): never {
        throw new Error('no');
      },
    };
    expect(redactor.value(thrower)).toEqual({ good: 1, bad: '[unreadable]' });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(redactor.value({ proxy, a: 1 })).toEqual({ proxy: '[unreadable]', a: 1 });
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    expect(redactor.value([hostile])).toEqual(['[unreadable]']);
    const error = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(redactor.value({ error })).toEqual({ error: '[unreadable]' });
    fc.assert(
      fc.property(
        fc.anything({
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withDate: true,
          withBigInt: true,
          withNullPrototype: true,
          withSparseArray: true,
        }),
        (value) => {
          shown(value);
        },
      ),
    );
  });

  it('does not touch what it was given', () => {
    const input = { password: 'x', list: [PLANTED] };
    redactor.value(input);
    expect(input).toEqual({ password: 'x', list: [PLANTED] });
  });
});
