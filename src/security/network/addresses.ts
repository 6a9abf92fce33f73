import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { AppError } from '../../shared/index.ts';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** Longest chain of proxies that is followed. */
const MAX_HOPS = 20;

/** An address in one spelling: without IPv6 zone and brackets, IPv4-mapped as IPv4. */
export function plainAddress(address: string): string {
  if (address.charCodeAt(0) >= 48 && address.charCodeAt(0) <= 57 && isIPv4(address)) return address;
  const bare = (address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address).replace(/%.*$/, '');
  return MAPPED.exec(bare)?.[1] ?? bare.toLowerCase();
}

/** Addresses and networks of the proxies whose X-Forwarded-For is believed. */
export interface ProxyList {
  readonly empty: boolean;
  has(address: string): boolean;
}

function addRule(list: BlockList, rule: string): boolean {
  const [address = '', prefix, more] = rule.trim().split('/');
  const plain = plainAddress(address);
  const version = isIP(plain);
  if (version === 0 || more !== undefined) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (prefix === undefined) {
    list.addAddress(plain, family);
    return true;
  }
  const bits = Number(prefix) - (family === 'ipv4' && address.includes(':') ? 96 : 0);
  if (!/^\d{1,3}$/.test(prefix) || bits < 0 || bits > (version === 4 ? 32 : 128)) return false;
  list.addSubnet(plain, bits, family);
  return true;
}

/** Reads addresses and CIDR networks, IPv4 and IPv6; `loopback` stands for both loopback networks. Throws `config_invalid` for anything else. */
export function proxyList(rules: readonly string[]): ProxyList {
  const list = new BlockList();
  for (const rule of rules.flatMap((given) => (given.trim() === 'loopback' ? ['127.0.0.0/8', '::1'] : [given]))) {
    if (!addRule(list, rule))
      throw new AppError(
        'config_invalid',
        `server.trustedProxies: ${JSON.stringify(rule)} is no address or network; write for example 10.0.0.0/8 or 2001:db8::/32.`,
      );
  }
  return {
    empty: rules.length === 0,
    has(address) {
      const version = isIP(address);
      return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

/** One hop of X-Forwarded-For as an address: some proxies add a port. Undefined if it is none. */
function hopAddress(hop: string): string | undefined {
  const text = hop.trim();
  const withPort = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/.exec(text);
  const plain = plainAddress(withPort?.[1] ?? withPort?.[2] ?? text);
  return isIP(plain) === 0 ? undefined : plain;
}

/**
 * The address that a request came from: the nearest one that is not a trusted proxy, read from the right. What stands left of the
 * first untrusted or unreadable hop was written by the client and is not believed.
 */
export function clientAddress(remote: string | undefined, xForwardedFor: string | undefined, trusted: ProxyList): string {
  let address = plainAddress(remote ?? '');
  if (trusted.empty || xForwardedFor === undefined || !trusted.has(address)) return address;
  const hops = xForwardedFor.split(',');
  for (let i = hops.length - 1; i >= 0 && i >= hops.length - MAX_HOPS; i--) {
    const hop = hopAddress(hops[i] ?? '');
    if (hop === undefined) return address;
    address = hop;
    if (!trusted.has(address)) return address;
  }
  return address;
}

/** Whether an address is this machine. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && isIPv4(address));
}

function hextets(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail === undefined) return left;
  const right = tail === '' ? [] : tail.split(':');
  return [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0'), ...right];
}

/** What limits per address count by: an IPv4 address, or the /64 that one IPv6 subscriber has. */
export function rateKey(address: string): string {
  if (!isIPv6(address)) return address;
  return `${hextets(address)
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
