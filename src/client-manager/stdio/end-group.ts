import { setTimeout as delay } from 'node:timers/promises';
import { groupAlive, signalGroup } from './processes.ts';

const POLL_MS = 20;

async function gone(group: number, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (groupAlive(group)) {
    if (performance.now() >= until) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** SIGTERM to the whole group, then SIGKILL for those that did not listen. False if even that did not end it. */
export async function endGroup(group: number, termMs: number): Promise<boolean> {
  if (!groupAlive(group)) return true;
  signalGroup(group, 'SIGTERM');
  if (await gone(group, termMs)) return true;
  signalGroup(group, 'SIGKILL');
  return gone(group, termMs);
}
