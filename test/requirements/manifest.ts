import { basic } from './pages/basic.ts';
import { caching } from './pages/caching.ts';
import { patterns } from './pages/patterns.ts';
import { stdio } from './pages/stdio.ts';
import { streamableHttp } from './pages/streamable-http.ts';
import { streamableHttpHeaders } from './pages/streamable-http-headers.ts';
import { transports2025 } from './pages/transports-2025.ts';
import { versioning } from './pages/versioning.ts';

/**
 * Every MUST and MUST NOT of the pages on transports, versioning, patterns, caching and the base protocol. Each that is ours is cited by
 * `verifies(id)` in the test that proves it; coverage.test.ts finds those that nobody cites.
 */
export const manifest = [
  ...streamableHttp,
  ...streamableHttpHeaders,
  ...stdio,
  ...versioning,
  ...patterns,
  ...caching,
  ...basic,
  ...transports2025,
] as const;

export type RequirementId = (typeof manifest)[number]['id'];
