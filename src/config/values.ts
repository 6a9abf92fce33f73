import { isIP } from 'node:net';
import { z } from 'zod';

/** Adds a rule to a text setting: `problem` says what is wrong with a value, or nothing. */
function text(problem: (value: string) => string | undefined): z.ZodString {
  return z.string().superRefine((value, context) => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

function urlOf(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

const isHttp = (url: URL): boolean => url.protocol === 'http:' || url.protocol === 'https:';

/** A whole number in a closed range. */
export function whole(min: number, max: number): z.ZodNumber {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export const filled = (): z.ZodString => text((value) => (value.trim() === '' ? 'must not be empty' : undefined));

/** A base URL: scheme, host and port only. Kept without a trailing slash. */
export const origin = (example: string) =>
  text((value) => {
    const url = urlOf(value);
    const plain = url !== undefined && isHttp(url) && url.username === '' && url.pathname === '/' && url.search === '' && url.hash === '';
    return plain ? undefined : `must be a scheme, a host and perhaps a port, such as ${example}`;
  }).transform((value) => new URL(value).origin);

const SERVER_SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'ws:', 'wss:']);

/** The URL of an MCP server, without credentials in it. */
export const serverUrl = (): z.ZodString =>
  text((value) => {
    const url = urlOf(value);
    if (url === undefined || !SERVER_SCHEMES.has(url.protocol)) return 'must be an http://, https://, ws:// or wss:// URL';
    if (url.username !== '' || url.password !== '') return 'must not hold a user or password: put them into `headers`, as ${env:NAME}';
    return undefined;
  });

/** A folder, or a `file:` URI (S25 roots: no other scheme is allowed). */
export const folderOrUri = (): z.ZodString =>
  text((value) => {
    if (value.trim() === '') return 'must not be empty';
    const isOther = /^[a-z][a-z0-9+.-]+:/i.test(value) && !value.startsWith('file:///');
    return isOther ? 'must be a folder or a file:/// URI' : undefined;
  });

/** A connection URL of one of `schemes`. */
export const serviceUrl = (schemes: readonly string[]): z.ZodString =>
  text((value) => {
    const url = urlOf(value);
    const known = url !== undefined && schemes.includes(url.protocol.slice(0, -1));
    return known ? undefined : `must be a URL such as ${schemes[0] ?? ''}://user@host/name`;
  });

/** An address or a CIDR block, IPv4 or IPv6. */
export const addressBlock = (): z.ZodString =>
  text((value) => {
    const [address = '', bits, ...rest] = value.split('/');
    const family = isIP(address);
    const bitsFit = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
    return family !== 0 && bitsFit && rest.length === 0 ? undefined : 'must be an address or a block such as 10.0.0.0/8';
  });

/** A host name without scheme or port, kept in lower case. */
export const hostName = () =>
  text((value) => {
    const bare = value.startsWith('[') ? value.slice(1, -1) : value;
    const fits = isIP(bare) !== 0 || /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(value);
    return fits ? undefined : 'must be a host name without scheme or port, such as gateway.example.com';
  }).transform((value) => value.toLowerCase());

/** A moment with its offset (RFC 3339). */
export const moment = (): z.ZodISODateTime =>
  z.iso.datetime({ offset: true, error: 'must be a moment with its offset, such as 2026-03-02T15:30:00Z, in quotes' });

/** A secret that people choose: long enough, and safe in a header. */
export const secret = (min: number, max: number): z.ZodString =>
  text((value) =>
    value.length >= min && value.length <= max && /^[\x21-\x7e]+$/.test(value)
      ? undefined
      : `must be ${min} to ${max} visible ASCII characters without spaces`,
  );
