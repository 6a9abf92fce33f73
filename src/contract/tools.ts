import { z } from 'zod';

const schema = z.record(z.string(), z.unknown());

/** `/mcp`, or `/mcp/<server or profile>`. */
export const endpointPath = z
  .string()
  .regex(/^\/mcp(\/[a-z0-9-]{1,64})?$/, 'An endpoint is /mcp or /mcp/<server>.')
  .default('/mcp');

/** A tool as a client of one endpoint sees it, and what the gateway knows of it. */
export const toolView = z.object({
  name: z.string().describe('The name on this endpoint'),
  server: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: schema,
  outputSchema: schema.optional(),
  annotations: schema,
  sideEffect: z.enum(['read', 'idempotent_write', 'write']),
  scopes: z.array(z.string()).describe('A caller needs all of them'),
});

export const toolsQuery = z.strictObject({ endpoint: endpointPath });
export const toolList = z.object({ endpoint: z.string(), tools: z.array(toolView), warnings: z.array(z.string()) });

export const callToolRequest = z.strictObject({
  endpoint: endpointPath,
  name: z.string().min(1).max(256),
  arguments: z.record(z.string(), z.unknown()).default({}),
});

const facts = { callId: z.string().optional(), server: z.string().optional(), durationMs: z.number() };

/**
 * What a call came to. `complete` holds the tool's own result, which may say `isError`; `error` holds a JSON-RPC error of the server
 * or the gateway; `input_required` is a result that asks for more than this face can give.
 */
export const callToolAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('complete'), result: z.record(z.string(), z.unknown()), ...facts }),
  z.object({ outcome: z.literal('input_required'), result: z.record(z.string(), z.unknown()), ...facts }),
  z.object({
    outcome: z.literal('error'),
    error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }),
    ...facts,
  }),
]);

export type ToolView = z.infer<typeof toolView>;
export type ToolList = z.infer<typeof toolList>;
export type CallToolRequest = z.infer<typeof callToolRequest>;
export type CallToolAnswer = z.infer<typeof callToolAnswer>;
