import { open } from 'node:fs/promises';
import { ConnectError } from '../connection.ts';
import { CallSignal } from './deadline.ts';
import type { ApiFetch } from './fetch.ts';
import { decoded, headerOf, readBytes } from './read-body.ts';
import { readApiInTurns } from './read-api.ts';
import { API_LIMITS, type ApiConfig, type ApiReading } from './types.ts';
import { unsentReason } from './unsent.ts';

export const isUrl = (place: string): boolean => /^https?:\/\//i.test(place);

interface LoadOptions {
  readonly fetch: ApiFetch;
  /** Headers for a document that has a URL. */
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The text of the document in this file or at this URL. Throws a ConnectError. */
function loadDocument(place: string, options: LoadOptions): Promise<string> {
  return isUrl(place) ? fromUrl(place, options) : fromFile(place, options.maxBytes);
}

async function fromFile(path: string, maxBytes: number): Promise<string> {
  try {
    await using file = await open(path);
    const { bytes, cut } = await readBytes({ body: file.createReadStream({ autoClose: false }) }, maxBytes);
    if (cut) throw new ConnectError(`its OpenAPI document is larger than ${maxBytes} bytes`);
    return decoded(bytes);
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConnectError(isGone ? 'the file of its OpenAPI document does not exist' : 'its OpenAPI document could not be read', error);
  }
}

async function fromUrl(url: string, { fetch, headers, maxBytes, signal }: LoadOptions): Promise<string> {
  const own = { accept: 'application/json, application/yaml, */*;q=0.8', 'accept-encoding': 'identity', 'user-agent': 'stockpulse-mcp' };
  try {
    const reply = await fetch({ method: 'GET', url, headers: { ...own, ...headers }, body: undefined }, signal);
    if (reply.status !== 200) throw new ConnectError(`the URL of its OpenAPI document answered with HTTP ${reply.status}`);
    const { bytes, cut } = await readBytes(reply, maxBytes);
    if (cut) throw new ConnectError(`its OpenAPI document is larger than ${maxBytes} bytes`);
    return decoded(bytes, headerOf(reply, 'content-type'));
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    throw new ConnectError(`its OpenAPI document could not be fetched: ${unsentReason(error) ?? 'the request failed'}`, error);
  }
}

export interface FetchOptions {
  readonly fetch: ApiFetch;
  /** Milliseconds that it may take. */
  readonly connectMs: number;
  readonly signal: AbortSignal;
}

/** The text of the document that an entry names. Throws a ConnectError. */
export async function fetchDocument({ openapi, url, headers }: ApiConfig, { fetch, connectMs, signal }: FetchOptions): Promise<string> {
  using within = new CallSignal(signal, connectMs);
  // Credentials go where the configuration says that they belong, and nowhere else.
  const isHome = isUrl(openapi) && url !== undefined && new URL(openapi).origin === new URL(url).origin;
  const options = { fetch, headers: isHome ? headers : {}, maxBytes: API_LIMITS.documentBytes, signal: within.signal };
  try {
    return await within.bound(loadDocument(openapi, options));
  } catch (error) {
    if (within.expired) throw new ConnectError(`its OpenAPI document was not there within ${connectMs} ms`, error);
    throw error;
  }
}

/** The tools of an entry's document. Throws a ConnectError if there are none. */
export async function readConfigured(text: string, config: ApiConfig): Promise<ApiReading> {
  const { openapi, url } = config;
  const reading = await readApiInTurns(text, { ...config, baseUrl: url, documentUrl: isUrl(openapi) ? openapi : undefined });
  if (reading.operations.length > 0) return reading;
  throw new ConnectError((reading.warnings.at(-1) ?? 'its OpenAPI document is empty').replace(/\.$/, ''));
}
