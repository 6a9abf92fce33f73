import { isObject, type JsonText } from '../protocol/index.ts';
import type { RouteError } from './route-fact.ts';

/** Models drop flags, and the simulator's tickers are those of real companies: the text itself says what it is. */
export const SIMULATED = 'SIMULATED';

function isSimulated(data: unknown): boolean {
  return isObject(data) && isObject(data.source) && data.source.simulated === true;
}

const textContent = (text: string): string => `[{"type":"text","text":${JSON.stringify(text)}}]`;

/**
 * A route's answer as a tool result: text for models, `structuredContent` for programs. The text says that it is simulated where the
 * whole server is, or this answer's source. Undefined beyond `hardBytes` of JSON.
 */
export function toolResult(data: Readonly<Record<string, unknown>>, hardBytes: number, simulated: boolean): JsonText | undefined {
  const json = JSON.stringify(data);
  if (Buffer.byteLength(json) > hardBytes) return undefined;
  const text = simulated || isSimulated(data) ? `${SIMULATED} market data, not real prices.\n${json}` : json;
  return { text: `{"content":${textContent(text)},"structuredContent":${json}}`, value: { structuredContent: data } };
}

/** A route's refusal as a tool error that a model can act on (STOCKPULSE 1: code, message, field, retryable, hint). */
export function toolError(error: RouteError, simulated: boolean): JsonText {
  const { code, message, field, retryable, hint } = error;
  const json = JSON.stringify({ code, message, field, retryable, hint });
  return { text: `{"content":${textContent(simulated ? `${SIMULATED}\n${json}` : json)},"isError":true}`, value: { isError: true } };
}
