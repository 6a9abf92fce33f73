import { isObject, jsonText, readTools, type Call, type CallContext, type Outcome, type Target } from '../protocol/index.ts';
import { catalogueTools, NO_LISTS, type Registry, type SideEffect, type ToolTraits } from '../registry/index.ts';
import { AppError, type Clock } from '../shared/index.ts';
import { toolError, toolResult } from './format.ts';
import { isRouteError, type RouteFact, type ToolFacts } from './route-fact.ts';
import { generateTool, type GeneratedTool } from './tool-generator.ts';

export interface LocalServerOptions {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly instructions: string;
  readonly routes: readonly RouteFact[];
  readonly registry: Registry;
  readonly clock: Clock;
  /** How long clients may keep the list of tools. */
  readonly listTtlMs: number;
  /** Every text of it says so. */
  readonly simulated: boolean;
}

function sideEffectOf({ annotations }: ToolFacts): SideEffect {
  if (annotations.readOnlyHint) return 'read';
  return annotations.idempotentHint ? 'idempotent_write' : 'write';
}

function generateAll(routes: readonly RouteFact[]): ReadonlyMap<string, GeneratedTool> {
  const tools = new Map<string, GeneratedTool>();
  for (const route of routes) {
    const tool = generateTool(route);
    if (tool === undefined) continue;
    if (tools.has(route.operationId)) throw new AppError('route_invalid', `Two routes have the operationId ${route.operationId}.`);
    tools.set(route.operationId, tool);
  }
  return tools;
}

/** Puts our own server into the catalogue: its tools are generated from the routes, there is no second definition. */
function publish(options: LocalServerOptions, tools: ReadonlyMap<string, GeneratedTool>): void {
  const traits = ({ name }: { name: string }): ToolTraits => {
    const facts = tools.get(name)?.facts;
    return facts === undefined ? { sideEffect: 'write', scopes: [] } : { sideEffect: sideEffectOf(facts), scopes: [facts.scope] };
  };
  const list = jsonText({ tools: [...tools.values()].map(({ definition }) => definition) });
  const reading = catalogueTools(readTools(list), { traits, strictHeaders: true, maxTools: 100 });
  if (reading.warnings.length > 0) throw new AppError('route_invalid', reading.warnings.join('; '));
  options.registry.put({
    name: options.name,
    kind: 'stockpulse',
    transport: 'local',
    state: { state: 'ready', since: options.clock.now() },
    eras: ['modern', 'legacy'],
    facts: {
      info: { name: options.name, title: options.title, version: options.version },
      capabilities: { tools: {} },
      instructions: options.instructions,
    },
    tools: reading.tools,
    toolsCache: { ttlMs: options.listTtlMs, cacheScope: 'private' },
    ...NO_LISTS,
    warnings: [],
  });
}

/** Our own API as a target: arguments become the route's input, its answer becomes the result. */
export function createLocalServer(options: LocalServerOptions): Target {
  const tools = generateAll(options.routes);
  publish(options, tools);
  const failed = (message: string, detail: unknown): Outcome => ({
    kind: 'failed',
    failure: { code: 'internal_error', message, executed: 'unknown', detail },
  });

  const canceled = (executed: 'no' | 'unknown'): Outcome => ({
    kind: 'failed',
    failure: { code: 'canceled', message: 'The call was canceled by its client.', executed },
  });

  async function run(tool: GeneratedTool, call: Call, signal: AbortSignal): Promise<Outcome> {
    const args = call.params?.value.arguments;
    const prepared = tool.prepare(isObject(args) ? args : {});
    if (!prepared.ok) return failed(`The arguments of ${tool.route.operationId} changed on their way.`, prepared.violations);
    const identity = { ok: true as const, id: call.caller.principal, scopes: call.caller.scopes };
    const data = await tool.route.handle(tool.input(prepared.value), { identity, signal });
    if (!isObject(data))
      return failed(`${tool.route.operationId} failed. The log has the detail.`, 'The route did not answer with an object.');
    const result = toolResult(data, tool.facts.caps.hardBytes, options.simulated);
    if (result !== undefined) return { kind: 'complete', result };
    const message = `The answer of ${tool.route.operationId} is larger than ${tool.facts.caps.hardBytes} bytes. Ask for less: fewer symbols or a smaller limit.`;
    return { kind: 'failed', failure: { code: 'result_too_large', message, executed: 'unknown' } };
  }

  async function handle(call: Call, { signal, onEvent }: CallContext): Promise<Outcome> {
    const tool = call.subject === undefined ? undefined : tools.get(call.subject.value);
    if (tool === undefined) return failed(`There is no tool ${call.subject?.value}.`, undefined);
    const began = performance.now();
    let outcome: Outcome;
    try {
      outcome = signal.aborted ? canceled('no') : await run(tool, call, signal);
    } catch (error) {
      if (signal.aborted) outcome = canceled('unknown');
      else if (isRouteError(error)) outcome = { kind: 'complete', result: toolError(error, options.simulated) };
      else outcome = failed(`${tool.route.operationId} failed. The log has the detail.`, error);
    }
    const name = outcome.kind === 'failed' ? outcome.failure.code : 'ok';
    onEvent({ kind: 'attempt', attempt: { server: options.name, via: 'local', durationMs: performance.now() - began, outcome: name } });
    return outcome;
  }

  return { handle };
}
