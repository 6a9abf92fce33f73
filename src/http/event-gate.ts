import { RateLimiter } from '../security/index.ts';
import type { HttpEvent, HttpHostOptions } from './options.ts';

type Listener = (event: HttpEvent) => void;

const PER_SECOND = 50;
const BURST = 500;
const KEY = 'events';

/**
 * Holds back what strangers can cause at will: beyond 50 refusals a second they are counted, and the next one told says how many were
 * not. Everything else passes. Returns the listener to use in place of the owner's.
 */
export function gateEvents(options: HttpHostOptions): Listener | undefined {
  const { onEvent, clock, caps } = options;
  if (onEvent === undefined) return undefined;
  const limiter = new RateLimiter({ name: 'http.event_gate', perSecond: PER_SECOND, burst: BURST, cap: 1, caps, clock });
  let suppressed = 0;
  return (event) => {
    if (event.kind !== 'refused' && event.kind !== 'malformed') {
      onEvent(event);
      return;
    }
    if (limiter.take(KEY) > 0) {
      suppressed++;
      return;
    }
    onEvent(suppressed === 0 ? event : { ...event, suppressed });
    suppressed = 0;
  };
}
