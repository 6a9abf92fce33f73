import { plainAddress, isLoopback } from './addresses.ts';

/** The names that this server answers to. Made once, from configuration. */
export interface NameRules {
  /** Lower case host names without port. */
  readonly hosts: ReadonlySet<string>;
  /** Whole origins, as listed. */
  readonly origins: ReadonlySet<string>;
}

export interface NameSettings {
  /** The address that the server is bound to. */
  readonly bind: string;
  readonly publicUrl?: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1'];
const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);
/** A host, or an IPv6 address in brackets, and a port; no user, path or space. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{0,5})?$/i;
const ORIGIN = /^https?:\/\/([^/?#@\s]+)$/i;

/** The name in a Host header: lower case, without port, brackets and final dot. Undefined if it is no host. */
export function hostName(host: string): string | undefined {
  const name = HOST.exec(host)?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  return name.startsWith('[') ? plainAddress(name) : name.replace(/\.$/, '');
}

function fromSetting(entry: string): string[] {
  const text = entry.trim();
  const host = URL.canParse(text) && text.includes('://') ? new URL(text).host : text;
  const name = hostName(host) ?? hostName(`[${host}]`);
  return name === undefined ? [] : [name];
}

/**
 * The names for a binding. Loopback names count where the server can be reached over loopback: bound to it or to all addresses.
 * A page that rebinds its own name to our address is refused all the same, because the browser still sends that name.
 */
export function nameRules(settings: NameSettings): NameRules {
  const { bind, publicUrl, allowedHosts, allowedOrigins } = settings;
  const hosts = new Set([...allowedHosts, ...(publicUrl === undefined ? [] : [publicUrl])].flatMap(fromSetting));
  const bound = plainAddress(bind);
  if (bound === 'localhost' || isLoopback(bound) || WILDCARDS.has(bound)) for (const name of LOOPBACK_NAMES) hosts.add(name);
  if (!WILDCARDS.has(bound)) hosts.add(bound);
  return { hosts, origins: new Set(allowedOrigins.map((origin) => origin.trim().toLowerCase().replace(/\/$/, ''))) };
}

/** Whether a Host header names this server; the port does not matter. */
export function allowedHost(host: string | undefined, rules: NameRules): boolean {
  const name = host === undefined ? undefined : hostName(host);
  return name !== undefined && rules.hosts.has(name);
}

/** Whether a page of this origin may send requests. No Origin (not a browser) is fine; `null` never is. */
export function allowedOrigin(origin: string | undefined, rules: NameRules): boolean {
  if (origin === undefined) return true;
  if (rules.origins.has(origin.toLowerCase()) && origin !== 'null') return true;
  const host = ORIGIN.exec(origin)?.[1];
  return host !== undefined && allowedHost(host, rules);
}
