import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ConnectError } from '../connection.ts';

/** Header names that are ours: a configured header of such a name is not sent. */
const OURS =
  /^(content-(type|length|encoding)|accept|accept-encoding|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|last-event-id|mcp-.*|sec-websocket-.*)$/;

/** The configured headers that may be sent, by their lower-case names. Throws a ConnectError if one of them is none. */
export function configuredHeaders(configured: Readonly<Record<string, string>>): [name: string, value: string][] {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(configured)) {
    if (!isValid(name, value)) throw new ConnectError('its url or headers in the configuration are not valid HTTP');
    if (!OURS.test(name.toLowerCase())) headers.push([name.toLowerCase(), value]);
  }
  return headers;
}

function isValid(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
