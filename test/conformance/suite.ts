import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { judgeFile } from '../support/paths.ts';
import { OwnedProcess } from '../support/processes.ts';
import { worstOf, type Check, type ScenarioResult, type Status } from './verdict.ts';

const PACKAGE = '@modelcontextprotocol/conformance';
/** Longest run of one whole set; one takes about ten seconds. */
const SET_MS = 150_000;
const CLIENT_MS = 60_000;

/** Lines of the suite's own log that stand among its checks. */
const LOG_LINES: ReadonlySet<string> = new Set([
  'incoming-request',
  'outgoing-request',
  'incoming-response',
  'outgoing-response',
  'incoming-sse-event',
  'outgoing-sse-event',
  'stream-closed',
]);

interface RawCheck {
  readonly id: string;
  readonly status: Status;
  readonly errorMessage?: string;
}

type Leg = 'server' | 'client';

interface Requirements {
  readonly server: readonly string[];
  readonly client: readonly string[];
  readonly not_scored: readonly { readonly scenario: string; readonly leg: Leg }[];
}

export interface Wanted {
  readonly scenario: string;
  readonly scored: boolean;
}

/** The version of the suite that is installed. */
export async function suiteVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(judgeFile(`${PACKAGE}/package.json`), 'utf8')) as { version: string };
  return version;
}

/** Every scenario that a requirement set runs on one leg, in the suite's order. */
export async function scenariosOf(set: string, leg: Leg): Promise<Wanted[]> {
  const sets = parse(await readFile(judgeFile(`${PACKAGE}/requirements/${set}.yaml`), 'utf8')) as Requirements;
  const others = sets.not_scored.filter((entry) => entry.leg === leg);
  return [...sets[leg].map((scenario) => ({ scenario, scored: true })), ...others.map(({ scenario }) => ({ scenario, scored: false }))];
}

async function suite(args: readonly string[], patienceMs: number, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = new OwnedProcess(process.execPath, [judgeFile(`${PACKAGE}/dist/index.js`), ...args], { env: { NO_COLOR: '1', ...env } });
  const { code } = await child.ending(patienceMs);
  // 0 and 1 are verdicts; anything else is a suite that did not get to its end.
  if (code !== 0 && code !== 1) throw new Error(`The conformance suite ended with ${String(code)}: ${child.stderr.slice(-4000)}`);
  return `${child.stdout.slice(-2000)}\n${child.stderr.slice(-4000)}`;
}

/** The checks that the suite wrote for each scenario. */
async function written(folder: string): Promise<Map<string, Check[]>> {
  const found = new Map<string, Check[]>();
  for (const name of await readdir(folder).catch(() => [])) {
    const scenario = /^(?:server-)?(.+)-\d{4}-\d{2}-\d{2}T[\dZ-]+$/.exec(name)?.[1];
    if (scenario === undefined) continue;
    const text = await readFile(join(folder, name, 'checks.json'), 'utf8').catch(() => '[]');
    const checks = (JSON.parse(text) as RawCheck[]).filter(({ id }) => !LOG_LINES.has(id));
    found.set(scenario, worstOf(checks.map(({ id, status, errorMessage = '' }) => ({ id, status, message: errorMessage }))));
  }
  return found;
}

function resultOf({ scenario, scored }: Wanted, checks: readonly Check[] | undefined, log: string): ScenarioResult {
  const silent: Check = { id: scenario, status: 'FAILURE', message: `The scenario brought no checks. ${log}` };
  return { scenario, scored, checks: checks === undefined || checks.length === 0 ? [silent] : checks };
}

/** Runs a whole requirement set against a server. */
export async function runServerSet(url: string, set: string, folder: string): Promise<ScenarioResult[]> {
  const log = await suite(['server', '--url', url, '--requirements', set, '-o', folder], SET_MS);
  const checks = await written(folder);
  return (await scenariosOf(set, 'server')).map((wanted) => resultOf(wanted, checks.get(wanted.scenario), log));
}

/** Runs one scenario against a server. */
export async function runServerScenario(url: string, set: string, wanted: Wanted, folder: string): Promise<ScenarioResult> {
  const log = await suite(['server', '--url', url, '--scenario', wanted.scenario, '--spec-version', set, '--force', '-o', folder], SET_MS);
  return resultOf(wanted, (await written(folder)).get(wanted.scenario), log);
}

/** Runs one client scenario: the suite starts `command` with the URL of its server as the last argument. */
export async function runClientScenario(
  command: string,
  wanted: Wanted,
  options: { readonly set: string; readonly folder: string; readonly env: Readonly<Record<string, string>> },
): Promise<ScenarioResult> {
  const { set, folder, env } = options;
  const args = ['client', '--command', command, '--scenario', wanted.scenario, '--spec-version', set, '--force'];
  const log = await suite([...args, '--timeout', String(CLIENT_MS), '-o', folder], CLIENT_MS + 30_000, env);
  const result = resultOf(wanted, (await written(folder)).get(wanted.scenario), log);
  // The suite leaves it out of the checks, and counts it.
  const failed = /CLIENT (TIMED OUT|EXITED WITH ERROR)/.test(log);
  const run: Check = { id: 'client-run', status: failed ? 'FAILURE' : 'SUCCESS', message: failed ? log : '' };
  return { ...result, checks: [...result.checks, run] };
}
