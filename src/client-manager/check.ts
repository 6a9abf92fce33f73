import type { Era, Implementation } from '../protocol/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { openConnection } from './connect.ts';
import { ConnectError, type Connection } from './connection.ts';
import { connectOnce, type Connected } from './connector.ts';
import { mayHaveLegacySide } from './eras.ts';
import type { Emit, UpstreamEvent } from './events.ts';
import { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { CheckReport, UpstreamConfig } from './types.ts';

export interface CheckOptions {
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: UpstreamConfig;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly onEvent: (event: UpstreamEvent) => void;
}

/** Connects to a server once, reads its lists, and ends the connection. Never throws: what is wrong is in the report. */
export async function checkServer(options: CheckOptions, signal: AbortSignal): Promise<CheckReport> {
  const { config, onEvent } = options;
  const begun = performance.now();
  let stderr: readonly string[] = [];
  const emit: Emit = (event) => {
    if (event.kind === 'child_exited') ({ stderr } = event);
    onEvent({ ...event, server: config.name });
  };
  const base = { server: config.name, transport: config.transport };
  try {
    const connected = await connectOnce({ ...options, emit, purpose: 'check', era: config.era }, signal);
    await connected.connection.close();
    const eras = await erasOf(connected.connection, { ...options, emit }, signal);
    return { ...base, ...found(connected), eras, stderr };
  } catch (error) {
    const problem = error instanceof ConnectError ? error.reason : 'the check itself failed';
    const lines = error instanceof ConnectError && error.stderr.length > 0 ? error.stderr : stderr;
    return { ...base, ...nothing(performance.now() - begun), eras: [], problem, stderr: lines };
  }
}

type Findings = Omit<CheckReport, 'server' | 'transport' | 'stderr' | 'eras'>;

function found({ connection, discovered, connectMs, listMs }: Connected): Findings {
  const { revision, facts, via } = connection;
  const { info, capabilities } = facts;
  const { tools, prompts, resources } = discovered;
  return {
    ok: true,
    connectMs,
    listMs,
    via,
    revision,
    info,
    capabilities,
    tools: tools.tools.length,
    prompts: prompts.prompts.items.length,
    resources: resources.resources.items.length,
    templates: resources.templates.items.length,
    warnings: [...tools.warnings, ...prompts.warnings, ...resources.warnings],
    problem: undefined,
  };
}

/** The eras in which the server can be called, as `Second` finds them out. */
async function erasOf(connection: Connection, options: CheckOptions & { emit: Emit }, signal: AbortSignal): Promise<readonly Era[]> {
  const { config, limits } = options;
  if (!mayHaveLegacySide(config, connection)) return [connection.era];
  const failures = new Failures(config.name, limits.frameBytes);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(limits.secondMs)]);
  try {
    const legacy = await openConnection({ ...options, failures, purpose: 'check', era: 'legacy' }, deadline);
    await legacy.close();
    return legacy.stateful ? ['modern', 'legacy'] : ['modern'];
  } catch {
    return ['modern'];
  }
}

const nothing = (connectMs: number): Omit<Findings, 'problem'> => ({
  ok: false,
  connectMs,
  listMs: 0,
  via: undefined,
  revision: undefined,
  info: undefined,
  capabilities: {},
  tools: 0,
  prompts: 0,
  resources: 0,
  templates: 0,
  warnings: [],
});
