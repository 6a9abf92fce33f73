import type { Implementation } from '../protocol/index.ts';
import { ConnectError } from './connection.ts';
import { connectOnce, type Connected } from './connector.ts';
import type { UpstreamEvent } from './events.ts';
import type { Limits } from './limits.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { CheckReport, UpstreamConfig } from './types.ts';

export interface CheckOptions {
  readonly config: UpstreamConfig;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly onEvent: (event: UpstreamEvent) => void;
}

/** Connects to a server once, lists its tools, and ends the connection. Never throws: what is wrong is in the report. */
export async function checkServer(options: CheckOptions, signal: AbortSignal): Promise<CheckReport> {
  const { config, onEvent } = options;
  const begun = performance.now();
  let stderr: readonly string[] = [];
  const emit = (event: Parameters<Parameters<typeof connectOnce>[0]['emit']>[0]): void => {
    if (event.kind === 'child_exited') ({ stderr } = event);
    onEvent({ ...event, server: config.name });
  };
  const base = { server: config.name, transport: config.transport };
  try {
    const connected = await connectOnce({ ...options, emit, purpose: 'check' }, signal);
    await connected.connection.close();
    return { ...base, ...found(connected), stderr };
  } catch (error) {
    const problem = error instanceof ConnectError ? error.reason : 'the check itself failed';
    const lines = error instanceof ConnectError && error.stderr.length > 0 ? error.stderr : stderr;
    return { ...base, ...nothing(performance.now() - begun), problem, stderr: lines };
  }
}

type Findings = Omit<CheckReport, 'server' | 'transport' | 'stderr'>;

function found({ connection, discovered, connectMs, listMs }: Connected): Findings {
  const { eras, revision, facts } = connection;
  const { info, capabilities } = facts;
  const { tools, warnings } = discovered;
  return { ok: true, connectMs, listMs, eras, revision, info, capabilities, tools: tools.length, warnings, problem: undefined };
}

const nothing = (connectMs: number): Omit<Findings, 'problem'> => ({
  ok: false,
  connectMs,
  listMs: 0,
  eras: [],
  revision: undefined,
  info: undefined,
  capabilities: {},
  tools: 0,
  warnings: [],
});
