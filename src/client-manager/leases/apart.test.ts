import { afterEach, expect, it } from 'vitest';
import { jsonText, type AskClient, type CallEvent, type Outcome } from '../../protocol/index.ts';
import { httpConfig, httpUpstream, stdioConfig } from '../test-kit.ts';
import type { UpstreamConfig } from '../types.ts';
import { accept, asked, heard, leasesKit, said, type LeasesKit } from './leases-kit.ts';

/** Two principals on one server never see each other's questions, progress, logs or results. */

const SCALE = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const CALLS = 1_000 * SCALE;
const WORKERS = 4;

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

interface Seen {
  readonly mark: string;
  readonly events: readonly CallEvent[];
  readonly asked: readonly unknown[];
  readonly outcome: Outcome;
}

/** What the server says and asks in a call carries the call's mark. */
const steps = (mark: string): Record<string, unknown>[] => [
  { log: mark },
  { progress: 1 },
  { ask: [{ method: 'elicitation/create', params: { message: mark, requestedSchema: { type: 'object', properties: {} } } }] },
  { log: mark },
  { progress: 2 },
];

const wanted = { progress: true, logLevel: 'debug' } as const;

async function direct(kit: LeasesKit, principal: string, mark: string): Promise<Seen> {
  const questions: unknown[] = [];
  const ask: AskClient = ({ params }) => {
    questions.push(params?.value.message);
    return Promise.resolve({ result: jsonText(accept(mark)) });
  };
  const run = kit.run(steps(mark), { ...wanted, principal, ask });
  return { mark, outcome: await run.outcome, events: run.events, asked: questions };
}

async function parked(kit: LeasesKit, principal: string, mark: string): Promise<Seen> {
  const first = kit.run(steps(mark), { ...wanted, principal });
  const { state, keys, requests } = asked(await first.outcome);
  const questions = Object.values(requests).map((request) => (request as { params: { message: unknown } }).params.message);
  const last = kit.run([], { ...wanted, principal, state, answers: { [keys[0] ?? '']: accept(mark) } });
  return { mark, outcome: await last.outcome, events: [...first.events, ...last.events], asked: questions };
}

async function work(kit: LeasesKit, principal: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < CALLS / 2) {
      const number = next++;
      seen.push(await (number % 4 === 0 ? parked : direct)(kit, principal, `${principal} ${number}`));
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  return seen;
}

it.each(['stdio', 'http'] as const)('1,000 interleaved calls over %s', async (transport) => {
  let config: UpstreamConfig = stdioConfig('one', ['--era', 'legacy']);
  if (transport === 'http') {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    config = httpConfig('one', upstream.url);
  }
  const kit = await leasesKit(config);
  ends.push(() => kit.end());
  const all = (await Promise.all([work(kit, 'ann'), work(kit, 'bob')])).flat();
  expect(all).toHaveLength(CALLS);
  for (const { mark, events, asked: questions, outcome } of all) {
    expect(said(outcome)).toEqual([accept(mark)]);
    expect(questions).toEqual([mark]);
    expect(heard(events)).toEqual([mark, 1, mark, 2]);
  }
  expect(kit.opened.length).toBeLessThanOrEqual(2 * WORKERS);
  expect([kit.gauge('upstream_parked'), kit.gauge('upstream_leased_requests')]).toEqual([0, 0]);
});
