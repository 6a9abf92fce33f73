import type { lookup as systemLookup, LookupAddress } from 'node:dns';
import { connect, createServer, type AddressInfo, type LookupFunction } from 'node:net';
import { once } from 'node:events';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../shared/index.ts';
import { EgressGuard, type Trust } from './guard.ts';
import { kindOf } from './ranges.ts';

const guard = (...allow: string[]): EgressGuard => new EgressGuard({ allow });

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'fine';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

const judge = (url: string, trust: Trust = 'given', ...allow: string[]): string => codeOf(() => guard(...allow).check(url, trust));

/** A resolver with fixed answers, one after the other. */
function resolver(...answers: LookupAddress[][]): typeof systemLookup {
  const fake = (_host: string, _options: object, callback: (error: null, addresses: LookupAddress[]) => void): void =>
    callback(null, answers.length > 1 ? (answers.shift() ?? []) : (answers[0] ?? []));
  return fake as unknown as typeof systemLookup;
}

const lookUp = (lookup: LookupFunction, options: object): Promise<unknown> =>
  new Promise((resolve, reject) => {
    lookup('name.example', options, (error, address, family) => (error === null ? resolve([address, family]) : reject(error)));
  });

describe('kinds of addresses', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['169.254.169.254', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.0.1', 'private'],
    ['fd12::1', 'private'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['198.18.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::ffff:8.8.8.8', 'public'],
    ['::127.0.0.1', 'loopback'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b::a00:1', 'private'],
    ['64:ff9b::808:808', 'public'],
    ['2002:7f00:1::', 'loopback'],
    ['2002:a9fe:a9fe::1', 'metadata'],
    ['[::1]', 'loopback'],
  ])('%s is %s', (address, kind) => expect(kindOf(address)).toBe(kind));

  it('are none for what is no address', () => expect(kindOf('example.com')).toBeUndefined());

  it('are the same for an IPv4 address in every IPv6 dress', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        const kind = kindOf(address);
        for (const dressed of [`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`, `0:0:0:0:0:ffff:${hex}`])
          expect([dressed, kindOf(dressed)]).toEqual([dressed, kind]);
      }),
    );
  });
});

describe('a URL that somebody gives', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:7f00:1]/',
    'http://127.0.0.1./',
    'http://localhost/',
    'http://LOCALHOST./',
    'http://a.localhost/',
    'http://metadata.google.internal/',
    'http://printer.local/',
    'http://db.internal:5432/',
    'http://169.254.169.254/latest/meta-data',
    'http://[fd00:ec2::254]/',
    'http://10.0.0.1/',
    'ws://192.168.1.1/',
    'http://0/',
    'http://⑫7.0.0.1/',
    'http://127。0。0。1/',
  ])('does not lead inside: %s', (url) => expect(judge(url)).toBe('address_refused'));

  it.each([
    'https://example.com/mcp',
    'wss://example.com',
    'http://8.8.8.8:81/',
    'https://localhost.example.com/',
    'https://internal.example/',
  ])('may lead outside: %s', (url) => expect(judge(url)).toBe('fine'));

  it.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://x',
    'nonsense',
    'https://user:secret@example.com/',
    'https://user@example.com',
  ])('is refused with words that hold no secret: %s', (url) => {
    expect(judge(url)).toBe('url_invalid');
    try {
      guard().check(url, 'given');
    } catch (error) {
      expect((error as Error).message).not.toContain('secret');
    }
  });

  it('may lead where the operator says', () => {
    expect(judge('http://10.0.0.1/', 'given', '10.0.0.0/8')).toBe('fine');
    expect(judge('http://[fd12::1]/', 'given', 'fd00::/8')).toBe('fine');
    expect(judge('http://11.0.0.1/', 'given', '10.0.0.0/8')).toBe('fine');
    expect(judge('http://192.168.0.1/', 'given', '10.0.0.0/8')).toBe('address_refused');
    expect(judge('http://db.internal/', 'given', 'db.internal')).toBe('fine');
    expect(judge('http://db.internal:81/', 'given', 'db.internal:80')).toBe('address_refused');
    expect(judge('http://db.internal/', 'given', 'db.internal:80')).toBe('fine');
    expect(judge('http://a.b.internal/', 'given', '*.internal')).toBe('fine');
    expect(judge('http://169.254.169.254/', 'given', '169.254.169.254')).toBe('fine');
    expect(codeOf(() => guard('no/where'))).toBe('config_invalid');
    expect(codeOf(() => guard('10.0.0.0/33'))).toBe('config_invalid');
  });
});

describe('a URL of the configuration', () => {
  it('may lead inside, but not to a metadata service', () => {
    for (const url of ['http://127.0.0.1:81/', 'http://localhost/', 'http://10.0.0.1/', 'http://db.internal/', 'http://[fe80::1]/'])
      expect([url, judge(url, 'configured')]).toEqual([url, 'fine']);
    for (const url of ['http://169.254.169.254/', 'http://[::ffff:a9fe:a9fe]/', 'http://metadata.google.internal/', 'http://0.0.0.0/'])
      expect([url, judge(url, 'configured')]).toEqual([url, 'address_refused']);
  });
});

describe('a redirect', () => {
  const from = new URL('https://example.com/a');
  it.each([
    ['/b', 'fine'],
    ['https://other.example/', 'fine'],
    ['http://example.com/', 'address_refused'],
    ['https://127.0.0.1/', 'address_refused'],
    ['//localhost/', 'address_refused'],
    ['javascript:alert(1)', 'address_refused'],
    ['https://[', 'url_invalid'],
  ])('to %s is %s', (to, code) => expect(codeOf(() => guard().checkRedirect(from, to, 'given'))).toBe(code));
});

describe('a name that is looked up', () => {
  const inside = { address: '10.0.0.1', family: 4 };
  const outside = { address: '8.8.8.8', family: 4 };
  const metadata = { address: '169.254.169.254', family: 4 };

  it('yields only addresses that may be reached', async () => {
    const one = new EgressGuard({ allow: [], resolve: resolver([inside, outside]) });
    expect(await lookUp(one.lookup('given'), { all: true })).toEqual([[outside], undefined]);
    expect(await lookUp(one.lookup('given'), {})).toEqual(['8.8.8.8', 4]);
    expect(await lookUp(one.lookup('configured'), { all: true })).toEqual([[inside, outside], undefined]);
  });

  it('is refused where it means nothing else', async () => {
    const one = new EgressGuard({ allow: [], resolve: resolver([metadata]) });
    for (const trust of ['given', 'configured'] as const)
      await expect(lookUp(one.lookup(trust), { all: true })).rejects.toMatchObject({ code: 'address_refused' });
    const listed = new EgressGuard({ allow: ['name.example'], resolve: resolver([inside], [metadata]) });
    expect(await lookUp(listed.lookup('given'), {})).toEqual(['10.0.0.1', 4]);
    await expect(lookUp(listed.lookup('given'), {})).rejects.toMatchObject({ code: 'address_refused' });
  });

  it('finds no server inside, though its meaning changes after it was checked', async () => {
    const server = createServer((socket) => socket.end('inside')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const one = new EgressGuard({ allow: [], resolve: resolver([{ address: '127.0.0.1', family: 4 }]) });
    one.check(`http://name.example:${port}/`, 'given');
    const socket = connect({ host: 'name.example', port, lookup: one.lookup('given'), autoSelectFamily: true });
    const [error] = (await once(socket, 'error').catch((reason: unknown) => [reason])) as [unknown];
    expect(error).toMatchObject({ code: 'address_refused' });
    const configured = connect({ host: 'name.example', port, lookup: one.lookup('configured'), autoSelectFamily: true });
    const [data] = (await once(configured, 'data')) as [Buffer];
    expect(data.toString()).toBe('inside');
    server.close();
  });

  it('passes on that there is no such name', async () => {
    const resolve = ((_host: string, _options: object, callback: (error: Error) => void) =>
      callback(Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' }))) as unknown as typeof systemLookup;
    await expect(lookUp(new EgressGuard({ allow: [], resolve }).lookup('given'), {})).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});
