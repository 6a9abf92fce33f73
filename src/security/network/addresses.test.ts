import { describe, expect, it } from 'vitest';
import { clientAddress, isLoopback, plainAddress, proxyList, rateKey } from './addresses.ts';

describe('clientAddress', () => {
  const trusted = proxyList(['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48', 'loopback']);

  it.each([
    ['no proxies in between', '203.0.113.5', undefined, '203.0.113.5'],
    ['a header from somebody who is no proxy', '203.0.113.5', '198.51.100.1', '203.0.113.5'],
    ['one trusted proxy', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['a chain of trusted proxies', '10.1.2.3', '198.51.100.1, 192.0.2.7,10.9.9.9', '198.51.100.1'],
    ['what the client itself wrote', '10.1.2.3', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    ['a trusted address that the client wrote', '10.1.2.3', '10.0.0.1, 198.51.100.1', '198.51.100.1'],
    ['nobody but proxies', '10.1.2.3', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
    ['an unreadable hop', '10.1.2.3', '198.51.100.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['an empty header', '10.1.2.3', '', '10.1.2.3'],
    ['IPv4 mapped into IPv6', '::ffff:10.1.2.3', '::ffff:198.51.100.1', '198.51.100.1'],
    ['IPv6', '2001:db8:1:2::3', '2001:DB8:2::1', '2001:db8:2::1'],
    ['ports', '10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
    ['IPv6 with port', '::1', '[2001:db8:2::1]:4711', '2001:db8:2::1'],
    ['IPv6 in brackets', '::1', '[2001:db8:2::1]', '2001:db8:2::1'],
    ['a zone', 'fe80::1%eth0', '198.51.100.1', 'fe80::1'],
  ])('%s', (_what, remote, header, expected) => {
    expect(clientAddress(remote, header, trusted)).toBe(expected);
  });

  it('believes nobody by default', () => {
    expect(clientAddress('127.0.0.1', '198.51.100.1', proxyList([]))).toBe('127.0.0.1');
  });

  it('follows a bounded chain', () => {
    const chain = Array.from({ length: 100_000 }, () => '10.0.0.1').join(',');
    expect(clientAddress('10.1.2.3', `198.51.100.1,${chain}`, trusted)).toBe('10.0.0.1');
  });

  it('survives a connection that is gone', () => {
    expect(clientAddress(undefined, '198.51.100.1', trusted)).toBe('');
  });
});

describe('proxyList', () => {
  it.each(['10.0.0.0/33', '10.0.0.0/x', '10.0.0/8', 'example.com', '', '10.0.0.0/8/8', '2001:db8::/129', '10.0.0.0/-1'])(
    'refuses %j',
    (rule) => {
      expect(() => proxyList([rule])).toThrow(/trustedProxies/);
    },
  );

  it('takes mapped networks', () => {
    expect(proxyList(['::ffff:10.0.0.0/104']).has('10.255.0.1')).toBe(true);
    expect(proxyList(['::ffff:10.0.0.0/104']).has('11.0.0.1')).toBe(false);
  });

  it('knows the edges of a network', () => {
    const list = proxyList(['192.0.2.128/25']);
    expect(['192.0.2.127', '192.0.2.128', '192.0.2.255', '192.0.3.0'].map((address) => list.has(address))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});

describe('addresses', () => {
  it('have one spelling', () => {
    expect(['127.0.0.1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1', '[::1]', 'FE80::1%lo'].map(plainAddress)).toEqual([
      '127.0.0.1',
      '127.0.0.1',
      '127.0.0.1',
      '::1',
      'fe80::1',
    ]);
  });

  it('of this machine', () => {
    expect(['127.0.0.1', '127.8.8.8', '::1', '128.0.0.1', '127.evil.example', ''].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('of one IPv6 subscriber count together', () => {
    expect(rateKey('2001:db8:1:2:3:4:5:6')).toBe(rateKey('2001:db8:1:2::1'));
    expect(rateKey('2001:0db8:0001:2::1')).toBe(rateKey('2001:db8:1:2::9'));
    expect(rateKey('2001:db8:1:3::1')).not.toBe(rateKey('2001:db8:1:2::1'));
    expect(rateKey('2001:db8::1')).toBe('2001:db8:0:0::/64');
    expect(rateKey('::1')).toBe('0:0:0:0::/64');
    expect(rateKey('192.0.2.1')).toBe('192.0.2.1');
  });
});
