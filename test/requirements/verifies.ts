import type { RequirementId } from './manifest.ts';

/**
 * Says which duties of the specification a test proves: `verifies('http-origin', …)` as the first line of the test, or of a file that is about
 * nothing else. It does nothing when it runs; coverage.test.ts reads it, and an unknown id does not compile. A global, because tests of all
 * rooms cite and no room may import test/.
 */
declare global {
  // oxlint-disable-next-line no-var
  var verifies: (...ids: readonly RequirementId[]) => void;
}

globalThis.verifies = () => undefined;
