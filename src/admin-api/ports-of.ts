import type { ClientManager, Difference, ServerConfig } from '../client-manager/index.ts';
import type { CallToolAnswer, DoctorCheck, ServerDetail, ServerTest, StatusReply, ToolList, ToolView } from '../contract/index.ts';
import type { ExposedTool, McpGateway } from '../gateway/index.ts';
import { neverReached, type Registry } from '../registry/index.ts';
import { AppError, type Caps } from '../shared/index.ts';
import { runDoctor } from './doctor.ts';
import type { AdminApiOptions } from './ports.ts';

export interface PortSources {
  readonly version: string;
  readonly startedAt: number;
  /** Null while only the local socket is served. */
  readonly url: () => string | null;
  readonly dataDir: string;
  readonly storage: { readonly kind: 'pglite' | 'postgres'; ready(): Promise<void> };
  readonly registry: Registry;
  readonly clients: ClientManager;
  readonly upstreams: readonly ServerConfig[];
  readonly mcp: McpGateway;
  readonly caps: Caps;
  /** Takes secrets out of what servers said: it goes to whoever asks, and servers print what they should not. */
  readonly redact: (text: string) => string;
  /** The configuration file that was read at the start, if any. */
  readonly configFile: string | undefined;
  /** Findings about the configuration and the keys as they are now. */
  readonly notes: () => readonly DoctorCheck[];
}

type Ports = Pick<
  AdminApiOptions,
  'restartServer' | 'waitingTools' | 'acceptTools' | 'testServer' | 'listTools' | 'callTool' | 'status' | 'doctor'
>;

function toolView({ name, server, tool }: ExposedTool): ToolView {
  const { value, inputSchema, outputSchema, annotations } = tool.definition;
  return {
    name,
    server,
    ...(typeof value.title === 'string' ? { title: value.title } : {}),
    ...(typeof value.description === 'string' ? { description: value.description } : {}),
    inputSchema: { ...inputSchema },
    ...(outputSchema === undefined ? {} : { outputSchema: { ...outputSchema } }),
    annotations: { ...annotations },
    sideEffect: tool.sideEffect,
    scopes: [...tool.scopes],
  };
}

function listTools({ mcp, registry }: PortSources, endpoint: string): ToolList | undefined {
  const tools = mcp.tools(endpoint);
  if (tools === undefined) return undefined;
  const shown = registry.list().filter(({ name }) => endpoint === '/mcp' || endpoint === `/mcp/${name}`);
  const absent = shown.filter(neverReached);
  const warnings = shown.flatMap(({ name, warnings: own }) => own.map((warning) => `${name}: ${warning}`));
  return {
    endpoint,
    tools: tools.map(toolView),
    warnings: [...absent.map(({ name, state }) => `${name}: ${state.state}, its tools are not known yet`), ...warnings],
  };
}

async function testServer(sources: PortSources, name: string, signal: AbortSignal): Promise<ServerTest> {
  const config = sources.upstreams.find((upstream) => upstream.name === name);
  if (config === undefined) throw new AppError('server_not_found', `There is no upstream server ${name}.`);
  const report = await sources.clients.check(config, signal);
  const { ok, connectMs, listMs, transport, revision, eras, info, warnings, problem, stderr } = report;
  const { tools, prompts, resources, templates } = report;
  const { redact } = sources;
  const advice = stderr.length === 0 ? undefined : `Its last words on stderr: ${redact(stderr.slice(-5).join(' | '))}`;
  return {
    ok,
    name,
    durationMs: connectMs + listMs,
    transport,
    ...(revision === undefined ? {} : { revision }),
    eras: [...eras],
    ...(info === undefined ? {} : { info: { name: info.name, version: info.version } }),
    tools,
    prompts,
    resources,
    templates,
    warnings: warnings.map(redact),
    ...(problem === undefined ? {} : { problem: redact(problem) }),
    ...(problem === undefined || advice === undefined ? {} : { advice }),
  };
}

function statusOf(sources: PortSources): StatusReply {
  const { version, startedAt, url, storage, dataDir, registry, mcp, caps } = sources;
  const servers = registry.list();
  const limits = caps.list().map(({ name, size, cap, refused }) => ({ name, size, cap, refused }));
  return {
    version,
    pid: process.pid,
    node: process.version,
    url: url(),
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.round((Date.now() - startedAt) / 1000),
    storage: storage.kind,
    dataDir,
    servers: { total: servers.length, ready: servers.filter(({ state }) => state.state === 'ready').length },
    sessions: mcp.sessions,
    callsInFlight: limits.find(({ name }) => name === 'calls_in_flight')?.size ?? 0,
    limits,
    config: { file: sources.configFile ?? null },
    warnings: sources.notes().flatMap(({ status, message }) => (status === 'ok' ? [] : [message])),
  };
}

function defined({ path, before, now }: Difference): ServerDetail['waiting'][number]['differences'][number] {
  return { path, ...(before === undefined ? {} : { before }), ...(now === undefined ? {} : { now }) };
}

/** The management API's ports, made from the rooms that do the work. */
export function portsOf(sources: PortSources): Ports {
  const { clients, mcp } = sources;
  return {
    restartServer: (name) => clients.restart(name),
    waitingTools: (name) =>
      clients.waiting(name).map(({ name: tool, scope, differences }) => ({ tool, scope, differences: differences.map(defined) })),
    acceptTools: (name, tools, by) => clients.accept(name, tools, by),
    testServer: (name, signal) => testServer(sources, name, signal),
    listTools: (endpoint) => Promise.resolve(listTools(sources, endpoint)),
    async callTool(principal, endpoint, name, args, signal): Promise<CallToolAnswer> {
      const began = performance.now();
      const answer = await mcp.callTool(principal, endpoint, name, args, signal);
      if (answer === undefined)
        throw new AppError('endpoint_not_found', `There is no endpoint ${endpoint}. "stockpulse servers list" shows those that there are.`);
      const durationMs = performance.now() - began;
      if ('error' in answer) return { outcome: 'error', error: answer.error, durationMs };
      return { outcome: 'complete', result: { ...answer.result }, durationMs };
    },
    status: () => Promise.resolve(statusOf(sources)),
    doctor: (signal) =>
      runDoctor(
        {
          nodeVersion: process.version,
          notes: sources.notes(),
          storage: sources.storage,
          registry: sources.registry,
          testServer: (name, abort) => testServer(sources, name, abort),
          toolCount: (endpoint) => mcp.tools(endpoint)?.length ?? 0,
        },
        signal,
      ),
  };
}
