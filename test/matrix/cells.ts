import type { MatrixClient } from '../support/matrix-port.ts';
import { CHECK_NAMES, CHECKS, type Check, type CellScope } from './checks.ts';
import { CLIENTS, UPSTREAMS, type ClientName, type Upstream } from './rows.ts';

/** One client at one server. */
export interface Pair {
  readonly client: ClientName;
  readonly upstream: Upstream;
}

export const PAIRS: readonly Pair[] = CLIENTS.flatMap((client) => UPSTREAMS.map((upstream) => ({ client, upstream })));

/** What went wrong in each cell of a pair; undefined where nothing did. */
export type PairResult = ReadonlyMap<Check, string | undefined>;

/** A stdio client starts a process first, which a busy machine takes long to load. */
const CONNECT_MS = 150_000;
const CHECK_MS = 60_000;

async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const problemOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_500);

/** Some clients say nothing until they are asked for something: a first list, so that the checks' deadlines begin when all runs. */
async function opened(connect: () => Promise<MatrixClient>): Promise<MatrixClient> {
  const client = await connect();
  await client.toolNames();
  return client;
}

/** Runs all checks of a pair over one connection, one after the other. */
export async function runPair(pair: Pair, connect: () => Promise<MatrixClient>, board: CellScope['board']): Promise<PairResult> {
  const problems = new Map<Check, string | undefined>();
  let client: MatrixClient;
  try {
    client = await within(opened(connect), CONNECT_MS, 'connecting');
  } catch (error) {
    return new Map(CHECK_NAMES.map((check) => [check, problemOf(error)]));
  }
  const place = `c${CLIENTS.indexOf(pair.client)}u${UPSTREAMS.indexOf(pair.upstream)}`;
  for (const [i, check] of CHECK_NAMES.entries()) {
    const scope = { client, server: pair.upstream, board, key: `${place}k${i}` };
    try {
      await within(CHECKS[check](scope), CHECK_MS, check);
      problems.set(check, undefined);
    } catch (error) {
      problems.set(check, problemOf(error));
    }
  }
  await within(client.close(), CHECK_MS, 'closing').catch(() => undefined);
  return problems;
}
