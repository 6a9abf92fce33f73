import { z } from 'zod';

const time = z.string().describe('RFC 3339, UTC');

/** One server of the catalogue. `reason` and `retryAt` come with `backing_off`, `reason` with `connecting` after the first attempt, `since` with `ready`. */
export const serverView = z.object({
  name: z.string(),
  kind: z.enum(['stockpulse', 'upstream']),
  transport: z.enum(['local', 'stdio', 'http', 'sse', 'ws', 'openapi']),
  endpoint: z.string().describe('The MCP endpoint of this server alone'),
  state: z.enum(['stopped', 'connecting', 'ready', 'backing_off']),
  since: time.optional(),
  reason: z.string().optional(),
  retryAt: time.optional(),
  eras: z.array(z.enum(['legacy', 'modern'])),
  tools: z.number().int().describe('How many tools it has'),
  prompts: z.number().int(),
  resources: z.number().int().describe('Resources that it lists, without templates'),
  templates: z.number().int().describe('Resource templates'),
  warnings: z.array(z.string()),
  info: z.object({ name: z.string(), version: z.string(), title: z.string().optional() }).optional(),
});

const difference = z.object({
  path: z.string().describe('Where in the definition'),
  before: z.string().optional().describe('What was accepted'),
  now: z.string().optional().describe('What the server shows now'),
});

export const serverDetail = serverView.extend({
  waiting: z
    .array(z.object({ tool: z.string(), scope: z.string(), differences: z.array(difference) }))
    .describe('Tools whose definitions are not the ones that were accepted'),
  instructions: z.string().optional(),
  capabilities: z.record(z.string(), z.unknown()),
  toolNames: z.array(z.string()),
  legacy: z
    .object({ tools: z.number().int(), prompts: z.number().int(), resources: z.number().int(), templates: z.number().int() })
    .optional()
    .describe('What it shows to clients of the legacy era, where it speaks both'),
});

export const serverList = z.object({ servers: z.array(serverView) });

/** What one fresh connection to a server found, apart from the connections that carry calls. */
export const serverTest = z.object({
  ok: z.boolean(),
  name: z.string(),
  durationMs: z.number(),
  transport: z.enum(['stdio', 'http', 'sse', 'ws', 'openapi']),
  revision: z.string().optional().describe('The MCP revision that was spoken'),
  eras: z.array(z.enum(['legacy', 'modern'])),
  info: z.object({ name: z.string(), version: z.string() }).optional(),
  tools: z.number().int(),
  prompts: z.number().int(),
  resources: z.number().int(),
  templates: z.number().int(),
  warnings: z.array(z.string()),
  problem: z.string().optional().describe('What is wrong'),
  advice: z.string().optional().describe('What to do about it'),
});

export const acceptRequest = z.strictObject({
  tools: z.array(z.string().max(512)).max(10_000).optional().describe('Names of tools; all that wait unless it is given'),
});

export const acceptReply = z.object({ accepted: z.array(z.string()) });

export type AcceptReply = z.infer<typeof acceptReply>;
export type ServerView = z.infer<typeof serverView>;
export type ServerDetail = z.infer<typeof serverDetail>;
export type ServerTest = z.infer<typeof serverTest>;
