import {
  headerParamsOf,
  SchemaCompiler,
  unannotatedTool,
  type JsonObject,
  type ToolDefinition,
  type ToolReading,
} from '../protocol/index.ts';
import type { CatalogueTool, Check, SideEffect } from './server-entry.ts';

export interface ToolTraits {
  readonly sideEffect: SideEffect;
  readonly scopes: readonly string[];
}

export interface CatalogueOptions {
  /** Traits by tool; by default everything is a write that needs no scope of its own. */
  readonly traits?: (tool: ToolDefinition) => ToolTraits;
  /** Over modern HTTP a tool with an invalid x-mcp-header is excluded; elsewhere the annotation is ignored (PROTOCOL C3). */
  readonly strictHeaders: boolean;
  /** More tools than this are left out, with a warning. */
  readonly maxTools: number;
}

export interface CatalogueReading {
  readonly tools: readonly CatalogueTool[];
  readonly warnings: readonly string[];
}

const UNKNOWN: ToolTraits = { sideEffect: 'write', scopes: [] };

function lazyCheck(compiler: SchemaCompiler, schema: JsonObject): () => Check {
  let check: Check | undefined;
  return () => {
    if (check !== undefined) return check;
    const validator = compiler.compile(schema);
    check = validator.ok ? { validate: validator.validate } : { skipped: validator.reason };
    return check;
  };
}

/** A server's tools as the gateway uses them. One compiler per call: schemas of one version of one server share nothing with others. */
export function catalogueTools(readings: readonly ToolReading[], options: CatalogueOptions): CatalogueReading {
  const compiler = new SchemaCompiler();
  const tools = new Map<string, CatalogueTool>();
  const warnings: string[] = [];
  for (const reading of readings) {
    const problem = reading.ok ? tooMany(reading.tool, tools, options) : `tool ${reading.name} is left out: ${reading.reason}`;
    if (problem !== undefined || !reading.ok) {
      warnings.push(problem ?? '');
      continue;
    }
    const { tool } = reading;
    const headers = headerParamsOf(tool.inputSchema);
    if (!headers.ok && options.strictHeaders) {
      warnings.push(`tool ${tool.name} is left out: ${headers.reason}`);
      continue;
    }
    tools.set(tool.name, {
      definition: headers.ok ? tool : unannotatedTool(tool),
      ...(options.traits?.(tool) ?? UNKNOWN),
      headerParams: headers.ok ? headers.params : [],
      arguments: lazyCheck(compiler, tool.inputSchema),
      result: tool.outputSchema && lazyCheck(compiler, tool.outputSchema),
    });
  }
  return { tools: [...tools.values()], warnings: bounded(warnings) };
}

const MAX_WARNINGS = 100;

function bounded(warnings: readonly string[]): readonly string[] {
  if (warnings.length <= MAX_WARNINGS) return warnings;
  return [...warnings.slice(0, MAX_WARNINGS), `${warnings.length - MAX_WARNINGS} more tools are left out`];
}

function tooMany(tool: ToolDefinition, tools: ReadonlyMap<string, CatalogueTool>, options: CatalogueOptions): string | undefined {
  if (tools.has(tool.name)) return `tool ${tool.name} is left out: the server lists the name twice`;
  if (tools.size >= options.maxTools) return `tool ${tool.name} is left out: more than ${options.maxTools} tools`;
  return undefined;
}
