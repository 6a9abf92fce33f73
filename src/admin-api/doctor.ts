import type { DoctorCheck, DoctorReply, ServerTest } from '../contract/index.ts';
import type { Registry } from '../registry/index.ts';
import { messageOf } from '../shared/index.ts';

export interface DoctorOptions {
  readonly nodeVersion: string;
  /** Findings about configuration and keys that app.ts made, which sees all of them. */
  readonly notes: readonly DoctorCheck[];
  readonly storage: { readonly kind: string; ready(): Promise<void> };
  readonly registry: Pick<Registry, 'list'>;
  /** Connects to an upstream once, apart from the running connection. */
  testServer(name: string, signal: AbortSignal): Promise<ServerTest>;
  /** How many tools an endpoint shows. */
  toolCount(endpoint: string): number;
}

const LEAST_NODE = 24;
/** Some hosts drop what comes after this many tools. */
const MANY_TOOLS = 40;

function nodeCheck(version: string): DoctorCheck {
  const major = Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);
  if (major >= LEAST_NODE) return { name: 'node', status: 'ok', message: `Node ${version}` };
  return {
    name: 'node',
    status: 'failed',
    message: `Node ${version} is too old.`,
    advice: `Run "npm ci" again, or install Node ${LEAST_NODE} or later.`,
  };
}

async function storageCheck(storage: DoctorOptions['storage']): Promise<DoctorCheck> {
  try {
    await storage.ready();
    return { name: 'storage', status: 'ok', message: storage.kind === 'postgres' ? 'PostgreSQL answers' : 'the embedded database answers' };
  } catch (error) {
    const advice =
      storage.kind === 'postgres'
        ? 'Check DATABASE_URL and that PostgreSQL runs.'
        : 'Restart the gateway; its log says what happened to the database.';
    return { name: 'storage', status: 'failed', message: messageOf(error), advice };
  }
}

async function serverCheck(name: string, options: DoctorOptions, signal: AbortSignal): Promise<DoctorCheck> {
  const test = await options.testServer(name, signal);
  const label = `server ${name}`;
  if (!test.ok) {
    const next = `Is it running and reachable? Check mcpServers.${name} in the configuration, then run "stockpulse servers restart ${name}".`;
    const advice = test.advice === undefined ? next : `${next} ${test.advice}`;
    return { name: label, status: 'failed', message: test.problem ?? 'It cannot be reached.', advice };
  }
  const message = `${test.tools} tools in ${Math.round(test.durationMs)} ms, ${test.eras.join(' and ')}`;
  if (test.warnings.length === 0) return { name: label, status: 'ok', message };
  return {
    name: label,
    status: 'warning',
    message: `${message}; ${test.warnings.slice(0, 3).join('; ')}`,
    advice: `Run "stockpulse servers show ${name}" for all of it.`,
  };
}

function toolsCheck(endpoint: string, count: number): DoctorCheck {
  const name = `tools on ${endpoint}`;
  if (count <= MANY_TOOLS) return { name, status: 'ok', message: `${count} tools` };
  const advice = 'Some hosts drop the rest. Connect the agent to /mcp/<server> instead, or disable servers that it does not need.';
  return { name, status: 'warning', message: `${count} tools, more than ${MANY_TOOLS}`, advice };
}

/** Looks at everything that can be wrong and says what to do. Upstreams are tried side by side, on connections of their own. */
export async function runDoctor(options: DoctorOptions, signal: AbortSignal): Promise<DoctorReply> {
  const servers = options.registry.list();
  const upstreams = servers.filter(({ kind }) => kind === 'upstream');
  const endpoints = ['/mcp', ...servers.map(({ name }) => `/mcp/${name}`)];
  const [storage, ...tested] = await Promise.all([
    storageCheck(options.storage),
    ...upstreams.map(({ name }) => serverCheck(name, options, signal)),
  ]);
  const counted = endpoints.map((endpoint) => toolsCheck(endpoint, options.toolCount(endpoint)));
  const checks = [nodeCheck(options.nodeVersion), storage, ...options.notes, ...tested, ...counted];
  return { ok: checks.every(({ status }) => status !== 'failed'), checks };
}
