import { messageOf } from '../shared/index.ts';
import type { Readiness } from './options.ts';

/** Runs named checks side by side; the process is ready if none rejects. */
export async function readinessOf(checks: Readonly<Record<string, () => Promise<void>>>): Promise<Readiness> {
  const results = await Promise.all(
    Object.entries(checks).map(([name, check]) =>
      check().then(
        () => ({ name, ok: true }),
        (error: unknown) => ({ name, ok: false, message: messageOf(error) }),
      ),
    ),
  );
  return { ok: results.every(({ ok }) => ok), checks: results };
}
