import { neverReached, type Registry } from '../registry/index.ts';
import { serversOf } from './endpoints.ts';
import type { Frame, Services } from './frame.ts';

function isConnecting(registry: Registry, name: string): boolean {
  const entry = registry.get(name);
  return entry !== undefined && entry.state.state === 'connecting' && neverReached(entry);
}

/** When a list of all servers waited for a server for the first time, by its name: no later one waits for it once that time is over. */
const firstWaits = new WeakMap<Registry, Map<string, number>>();

/** Milliseconds that are left of the wait for any of these servers. */
function budgetOf(registry: Registry, names: readonly string[], waitMs: number): number {
  let waits = firstWaits.get(registry);
  if (waits === undefined) firstWaits.set(registry, (waits = new Map()));
  const now = performance.now();
  let left = 0;
  for (const name of names) {
    const since = waits.get(name) ?? now;
    waits.set(name, since);
    left = Math.max(left, since + waitMs - now);
  }
  return left;
}

/**
 * Waits, at most for the set time, until every server of the endpoint that `concerns` names had its first chance: hosts list tools once, and
 * scripts call them, right when the gateway says that it is ready. Where a client asks about all servers, a slow one delays no more
 * than its first askers; who wants that very server waits each time.
 */
export async function firstConnections(
  frame: Frame,
  { registry, settings }: Services,
  concerns: (server: string) => boolean,
): Promise<void> {
  const waiting = (): readonly string[] =>
    serversOf(frame.endpoint, registry)
      .map(({ name }) => name)
      .filter((name) => concerns(name) && isConnecting(registry, name));
  const names = waiting();
  if (names.length === 0 || settings.listWaitMs <= 0 || frame.signal.aborted) return;
  const all = frame.endpoint.kind === 'joined' && (frame.kind === 'list' || frame.kind === 'server');
  const waitMs = all ? budgetOf(registry, names, settings.listWaitMs) : settings.listWaitMs;
  if (waitMs <= 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      unsubscribe();
      frame.signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const unsubscribe = registry.onChange(() => {
      if (waiting().length === 0) done();
    });
    frame.signal.addEventListener('abort', done, { once: true });
  });
}
