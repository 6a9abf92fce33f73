import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AppError } from '../../shared/index.ts';
import { plainAddress } from '../network/addresses.ts';
import { kindOf, type Kind } from './ranges.ts';

/**
 * Who says that we should go there. The operator's own configuration file may name places inside the network; what users give or what was
 * discovered may not. Nobody reaches a metadata service by accident.
 */
export type Trust = 'configured' | 'given';

export interface EgressOptions {
  /** Host names, `*.suffix`, addresses and networks that may be reached whatever they are; a name may carry a port. */
  readonly allow: readonly string[];
  /** For tests. */
  readonly resolve?: typeof resolveName;
}

const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'ws:', 'wss:']);
/** Names that mean this machine or its network wherever they are asked for (RFC 6761, RFC 9476). */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa|localdomain)$/;
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata',
  'instance-data',
  'metadata.goog',
  'metadata.azure.internal',
]);

/** Where this process may connect to, checked before it looks a name up, after that, and on every redirect (DESIGN 8). */
export class EgressGuard {
  readonly #names = new Set<string>();
  readonly #suffixes: string[] = [];
  readonly #networks = new BlockList();
  readonly #resolve: typeof resolveName;

  /** Throws `config_invalid` for an entry that is none. */
  constructor({ allow, resolve = resolveName }: EgressOptions) {
    this.#resolve = resolve;
    for (const entry of allow) this.#allow(entry.trim().toLowerCase());
  }

  /** The URL, if it may be asked. Throws `address_refused` or `url_invalid`, in words that say what to do. */
  check(given: string | URL, trust: Trust): URL {
    if (!URL.canParse(String(given))) throw new AppError('url_invalid', 'The URL is not valid: write it like https://host/path.');
    const url = new URL(given);
    if (!SCHEMES.has(url.protocol)) throw new AppError('url_invalid', `The URL begins with ${url.protocol}, which is not spoken here.`);
    if (url.username !== '' || url.password !== '')
      throw new AppError('url_invalid', 'The URL holds a user name or password: put credentials into a header.');
    const host = hostOf(url);
    if (this.#allowsName(host, url.port || defaultPort(url))) return url;
    const problem = isIP(host) === 0 ? problemOfName(host, trust) : this.#problemOf(host, trust);
    if (problem !== undefined) throw refused(host, problem);
    return url;
  }

  /** The place that a redirect names, if it may be followed: no way from https to http, and nothing that `check` refuses. */
  checkRedirect(from: URL, to: string, trust: Trust): URL {
    if (!URL.canParse(to, from.href)) throw new AppError('url_invalid', 'The server redirects to something that is not a URL.');
    const url = new URL(to, from);
    if (isSecure(from) && !isSecure(url)) throw new AppError('address_refused', `${hostOf(from)} redirects to an unencrypted address.`);
    return this.check(url, trust);
  }

  /** In place of the lookup of `net` and `tls`: only addresses that may be reached, so that a name cannot change its meaning after `check`. */
  lookup(trust: Trust): LookupFunction {
    return (host, options, callback) => {
      const settle = (error: Error | null, addresses: LookupAddress[]): void => {
        const first = addresses[0];
        if (error !== null || first === undefined) return callback(error ?? new Error('no address'), '', 0);
        if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      };
      this.#resolve(host, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return settle(error, []);
        const name = host.toLowerCase().replace(/\.$/, '');
        const known = this.#allowsName(name, undefined);
        let problem: Kind | undefined;
        const good = addresses.filter(({ address }) => {
          const found = this.#problemOf(address, known ? 'configured' : trust);
          problem ??= found;
          return found === undefined;
        });
        settle(good.length === 0 ? refused(host, problem ?? 'reserved') : null, good);
      });
    };
  }

  #problemOf(address: string, trust: Trust): Kind | undefined {
    const plain = plainAddress(address);
    const version = isIP(plain);
    if (version !== 0 && this.#networks.check(plain, version === 4 ? 'ipv4' : 'ipv6')) return undefined;
    const kind = kindOf(plain) ?? 'reserved';
    if (kind === 'public') return undefined;
    const inside = kind !== 'metadata' && kind !== 'multicast' && kind !== 'unspecified';
    return trust === 'configured' && inside ? undefined : kind;
  }

  /** `port` undefined: any. */
  #allowsName(host: string, port: string | undefined): boolean {
    if (this.#names.has(host) || (port !== undefined && this.#names.has(`${host}:${port}`))) return true;
    if (port === undefined && [...this.#names].some((name) => name.startsWith(`${host}:`))) return true;
    return this.#suffixes.some((suffix) => host.endsWith(suffix));
  }

  #allow(entry: string): void {
    const [address = '', bits, more] = entry.split('/');
    const plain = plainAddress(address);
    const version = isIP(plain);
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (version !== 0 && bits === undefined) this.#networks.addAddress(plain, family);
    else if (version !== 0 && more === undefined && isPrefix(bits, version)) this.#networks.addSubnet(plain, Number(bits), family);
    else if (/^\*\.[a-z0-9.-]+$/.test(entry)) this.#suffixes.push(entry.slice(1));
    else if (/^[a-z0-9_.-]+(:\d{1,5})?$/.test(entry)) this.#names.add(entry);
    else
      throw new AppError(
        'config_invalid',
        `security.allowedAddresses: ${JSON.stringify(entry)} is no host name, *.suffix, address or network.`,
      );
  }
}

const isSecure = ({ protocol }: URL): boolean => protocol === 'https:' || protocol === 'wss:';
const defaultPort = (url: URL): string => (isSecure(url) ? '443' : '80');
const hostOf = ({ hostname }: URL): string =>
  hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();

function isPrefix(bits: string | undefined, version: number): boolean {
  return /^\d{1,3}$/.test(bits ?? '') && Number(bits) <= (version === 4 ? 32 : 128);
}

function problemOfName(host: string, trust: Trust): Kind | undefined {
  if (METADATA_NAMES.has(host)) return 'metadata';
  return trust === 'given' && LOCAL_NAME.test(host) ? 'private' : undefined;
}

function refused(host: string, kind: Kind): AppError {
  const code = 'address_refused';
  return new AppError(
    code,
    `${host} is a ${kind} address, which may not be reached. Its operator can list it under security.allowedAddresses.`,
  );
}
