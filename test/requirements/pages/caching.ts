import type { Requirement } from '../requirement.ts';

const NO_CACHE = 'we keep no results of calls, reads or pages of clients; catalogues are read as a whole and built anew';

/** S26 server/utilities/caching. */
export const caching = [
  {
    id: 'cache-hints',
    source: 'S26 caching#cacheable-results',
    side: 'server',
    behaviour: 'complete results of discover, lists and reads carry hints',
  },
  {
    id: 'cache-client-key',
    source: 'S26 caching#cache-key',
    side: 'client',
    behaviour: 'a kept response answers its own method and params only',
    notOurs: NO_CACHE,
  },
  {
    id: 'cache-client-retries',
    source: 'S26 caching#cache-key',
    side: 'client',
    behaviour: 'a result of a retry with answers or state is not kept',
    notOurs: NO_CACHE,
  },
  { id: 'cache-ttl', source: 'S26 caching#time-to-live-ttl-field', side: 'server', behaviour: 'ttlMs is at least 0' },
  {
    id: 'cache-client-jitter',
    source: 'S26 caching#freshness-calculation',
    side: 'client',
    behaviour: 'who polls does it with jitter and backoff',
  },
  {
    id: 'cache-client-private',
    source: 'S26 caching#cache-scope-field',
    side: 'client',
    behaviour: 'a private response is not shared across credentials',
    notOurs: NO_CACHE,
  },
  {
    id: 'cache-one-scope',
    source: 'S26 caching#interaction-with-pagination',
    side: 'server',
    behaviour: 'all pages of a list have one scope',
  },
  {
    id: 'cache-private-pages',
    source: 'S26 caching#interaction-with-pagination',
    side: 'server',
    behaviour: 'after a private first page all pages are private',
  },
  {
    id: 'cache-public',
    source: 'S26 caching#security-considerations',
    side: 'server',
    behaviour: 'what is called public is the same for everybody',
  },
  {
    id: 'cache-access',
    source: 'S26 caching#security-considerations',
    side: 'server',
    behaviour: 'access is controlled for each item, whatever the scope of a list',
  },
] as const satisfies readonly Requirement[];
