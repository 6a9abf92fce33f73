import { neverReached, type Registry } from '../registry/index.ts';
import type { Frame, Services } from './frame.ts';

function isConnecting(registry: Registry, name: string): boolean {
  const entry = registry.get(name);
  return entry !== undefined && entry.state.state === 'connecting' && neverReached(entry);
}

/**
 * Waits, at most for the set time, until every server of the endpoint that `concerns` names had its first chance: hosts list tools once, and
 * scripts call them, right when the gateway says that it is ready.
 */
export async function firstConnections(
  frame: Frame,
  { registry, views, settings }: Services,
  concerns: (server: string) => boolean,
): Promise<void> {
  const waiting = (): boolean => views.of(frame.endpoint).servers.some(({ name }) => concerns(name) && isConnecting(registry, name));
  if (!waiting() || settings.listWaitMs <= 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      unsubscribe();
      frame.signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, settings.listWaitMs);
    const unsubscribe = registry.onChange(() => {
      if (!waiting()) done();
    });
    frame.signal.addEventListener('abort', done, { once: true });
  });
}
