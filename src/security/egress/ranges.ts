import { BlockList, isIP, isIPv4 } from 'node:net';
import { plainAddress } from '../network/addresses.ts';

/** What kind of place an address is; `public` is the internet. */
export type Kind =
  'public' | 'metadata' | 'loopback' | 'private' | 'link-local' | 'unspecified' | 'multicast' | 'carrier-grade NAT' | 'reserved';

function networks(...rules: string[]): BlockList {
  const list = new BlockList();
  for (const rule of rules) {
    const [address = '', bits] = rule.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** In order: the first that has an address names it. IANA's special-purpose registries, and where clouds keep their metadata services. */
const KINDS: readonly (readonly [Kind, BlockList])[] = [
  [
    'metadata',
    networks(
      '169.254.169.254',
      '169.254.170.2',
      '169.254.170.23',
      '100.100.100.200',
      '192.0.0.192',
      'fd00:ec2::254',
      'fd00:ec2::23',
      'fd20:ce::254',
    ),
  ],
  ['unspecified', networks('0.0.0.0/8', '::')],
  ['loopback', networks('127.0.0.0/8', '::1')],
  ['link-local', networks('169.254.0.0/16', 'fe80::/10')],
  ['private', networks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10', '64:ff9b:1::/48')],
  ['carrier-grade NAT', networks('100.64.0.0/10')],
  ['multicast', networks('224.0.0.0/4', 'ff00::/8')],
  [
    'reserved',
    networks(
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '100::/64',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
      '5f00::/16',
    ),
  ],
];

/** Ways in which an IPv6 address carries an IPv4 one: the network, and the index of the group where it begins. */
const CARRIERS: readonly (readonly [BlockList, number])[] = [
  [networks('::ffff:0:0/96'), 6],
  [networks('::/96'), 6],
  [networks('::ffff:0:0:0/96'), 6],
  [networks('64:ff9b::/96'), 6],
  [networks('2002::/16'), 1],
];

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = '', a, b, c, d] = dotted ?? [];
  const text =
    dotted === null ? address : `${head}${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`;
  const [left = '', right] = text.split('::');
  const parse = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const start = parse(left);
  if (right === undefined) return start;
  const end = parse(right);
  return [...start, ...Array.from({ length: 8 - start.length - end.length }, () => 0), ...end];
}

/** The IPv4 address inside an IPv6 one; `::` and `::1` carry none. */
function carried(address: string): string | undefined {
  for (const [list, at] of CARRIERS) {
    if (!list.check(address, 'ipv6')) continue;
    const groups = groupsOf(address);
    const [high = 0, low = 0] = groups.slice(at);
    if (at === 6 && high === 0 && low <= 1 && groups.slice(0, 6).every((group) => group === 0)) return undefined;
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return undefined;
}

/** The kind of an IP address in any spelling; undefined for what is none. */
export function kindOf(address: string): Kind | undefined {
  const plain = plainAddress(address);
  const version = isIP(plain);
  if (version === 0) return undefined;
  const inner = version === 6 ? carried(plain) : undefined;
  if (inner !== undefined) return kindOf(inner);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  return KINDS.find(([, list]) => list.check(plain, family))?.[0] ?? 'public';
}
