/**
 * The gateway as a process that is told when to collect garbage, and in which waits of a minute and more pass sixty times as fast: idle leases,
 * parked calls. On `heap` it prints the bytes in use, on `later` it is an hour later, at the end of stdin it stops.
 */
import { createInterface } from 'node:readline';

const LONG_MS = 60_000;
const FASTER = 60;
const HOUR_MS = 3_600_000;

const { setTimeout: realTimeout } = globalThis;
globalThis.setTimeout = Object.assign(
  (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => realTimeout(run, ms >= LONG_MS ? ms / FASTER : ms, ...args),
  { __promisify__: realTimeout.__promisify__ },
) as typeof setTimeout;

let shift = 0;
const realNow = Date.now;
Date.now = () => realNow() + shift;

const { startGateway } = await import('../../src/app.ts');
const { loadConfig } = await import('../../src/config/index.ts');
const { config } = loadConfig({ env: process.env, cwd: process.cwd() });
const gateway = await startGateway(config, { log: 'silent' });
console.log(JSON.stringify({ url: gateway.url, key: gateway.firstKeys?.agent }));

const collect = globalThis.gc;
if (collect === undefined) throw new Error('start it with --expose-gc');

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'later') shift += HOUR_MS;
  if (line !== 'heap') continue;
  // Finalizers and weak references need turns of their own.
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => realTimeout(resolve, 50));
  }
  console.log(JSON.stringify({ heap: process.memoryUsage().heapUsed }));
}
await gateway.close();
process.exit(0);
