import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { nearest } from './suggest.ts';
import { filled, httpUrl, whole } from './values.ts';

/** An entry of `mcpServers`, ready for use: paths absolute, defaults filled in. */
export type McpServer = {
  readonly era: 'auto' | 'modern' | 'legacy';
  /** Scopes that a caller needs for any tool of this server, all of them. */
  readonly scopes: readonly string[];
  readonly deadlineSeconds: number;
  readonly maxInFlight: number;
} & (
  | {
      readonly transport: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
    }
  | { readonly transport: 'http'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
);

const NAME = /^[a-z0-9-]{1,32}$/;
const RESERVED: readonly string[] = ['stockpulse'];

/** A valid name close to `name`, for the error message. */
function validName(name: string): string {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 32);
  if (slug === '') return 'server-1';
  return RESERVED.includes(slug) ? `${slug}-2` : slug;
}

export const ServerName = z.string().superRefine((name, context) => {
  if (RESERVED.includes(name)) context.addIssue({ code: 'custom', message: `is the name of our own server. Use ${validName(name)}, say.` });
  else if (!NAME.test(name)) {
    const rule = 'a server name is 1 to 32 of a-z, 0-9 and -';
    context.addIssue({ code: 'custom', message: `${rule}. Use ${validName(name)}, say.` });
  }
});

/** Headers that the gateway sets itself on every request. */
const OWN_HEADERS = /^(host|connection|content-length|content-type|transfer-encoding|accept|accept-encoding|mcp-.*)$/i;

const HeaderName = z.string().superRefine((name, context) => {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) context.addIssue({ code: 'custom', message: 'is not a valid header name' });
  else if (OWN_HEADERS.test(name)) context.addIssue({ code: 'custom', message: 'is set by the gateway itself: remove it' });
});

const HeaderValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of text that fits into a header');
const VariableName = z.string().regex(/^[^=\0]+$/, 'is not a valid variable name');
/** Hosts pass numbers and booleans as text, so a block that has them works here too. */
const VariableValue = z
  .union([z.string(), z.number(), z.boolean()], { error: 'must be text' })
  .transform(String)
  .refine((value) => !value.includes('\0'), 'must not hold a NUL character');

/** Spellings of `type` (and `transport`) in the hosts' files. */
const STDIO_TYPES = ['stdio', 'local'];
const HTTP_TYPES = ['http', 'streamable-http', 'streamableHttp', 'streamable_http', 'remote'];
const LATER_TYPES = ['sse', 'ws', 'websocket'];

/** Keys that hosts write and that mean nothing here; each yields a warning. */
const FOREIGN_KEYS: Readonly<Record<string, string>> = {
  timeout: 'use deadlineSeconds',
  autoApprove: 'approval belongs to the host',
  alwaysAllow: 'approval belongs to the host',
  trust: 'trust is not given by configuration',
  disabledTools: 'tools are not filtered yet',
  enabledTools: 'tools are not filtered yet',
  includeTools: 'tools are not filtered yet',
  excludeTools: 'tools are not filtered yet',
  envFile: 'write variables as ${env:NAME}',
};
const SILENT_KEYS = ['description', 'note', 'icon', 'gallery', 'version'] as const;

const foreign = Object.fromEntries([...Object.keys(FOREIGN_KEYS), ...SILENT_KEYS].map((key) => [key, z.unknown().optional()]));

const RawServer = z.strictObject({
  command: filled().optional().describe('program to start (a stdio server); without a shell'),
  args: z.array(z.string()).optional().describe('its arguments'),
  env: z.record(VariableName, VariableValue).optional().describe('its variables, besides PATH, HOME, LANG and TMPDIR'),
  cwd: filled().optional().describe("its folder; by default the configuration file's"),
  url: httpUrl().optional().describe('endpoint of a Streamable HTTP server'),
  headers: z.record(HeaderName, HeaderValue).optional().describe('headers of every request to it'),
  type: z.string().optional().describe('`stdio` or `http`; follows from `command` or `url`'),
  disabled: z.boolean().optional().describe('`true` leaves the server out'),
  era: z.enum(['auto', 'modern', 'legacy']).optional().describe('which MCP revisions to speak; `auto` asks the server (default)'),
  scopes: z
    .array(z.string().regex(/^[a-z][a-z0-9:_-]*$/, 'must look like market:read'))
    .optional()
    .describe('scopes a caller needs for its tools'),
  deadlineSeconds: whole(1, 3600).optional().describe('longest wait for one call; `limits.callSeconds` by default'),
  maxInFlight: whole(1, 10_000).optional().describe('calls at once; 64 by default'),
  transport: z.string().optional(),
  serverUrl: httpUrl().optional(),
  httpUrl: httpUrl().optional(),
  ...foreign,
});
export type RawServer = z.infer<typeof RawServer>;

/** Settings of an entry that the reference lists; the others are the hosts' spellings of them. */
export const DOCUMENTED = [
  'command',
  'args',
  'env',
  'cwd',
  'url',
  'headers',
  'type',
  'disabled',
  'era',
  'scopes',
  'deadlineSeconds',
  'maxInFlight',
];

type Issue = { readonly path: string[]; readonly message: string };

function typeIssue(raw: RawServer, transport: 'stdio' | 'http'): Issue | undefined {
  const key = raw.type === undefined ? 'transport' : 'type';
  const type = raw.type ?? raw.transport;
  if (type === undefined) return undefined;
  if (LATER_TYPES.includes(type))
    return {
      path: [key],
      message: `${type} servers cannot be connected yet. Most also speak Streamable HTTP: give that url, with type http.`,
    };
  const known = [...STDIO_TYPES, ...HTTP_TYPES];
  if (!known.includes(type)) {
    const guess = nearest(type, known);
    return { path: [key], message: `must be stdio or http${guess === undefined ? '' : `. Did you mean ${guess}?`}` };
  }
  if (STDIO_TYPES.includes(type) === (transport === 'stdio')) return undefined;
  return { path: [key], message: transport === 'stdio' ? 'is http, but the entry has a command' : 'is stdio, but the entry has a url' };
}

function issuesOf(raw: RawServer): Issue[] {
  const urls = [raw.url, raw.serverUrl, raw.httpUrl].filter((url) => url !== undefined);
  if (raw.command === undefined && urls.length === 0)
    return [{ path: [], message: 'needs a command (a stdio server) or a url (a Streamable HTTP server)' }];
  if (raw.command !== undefined && urls.length > 0) return [{ path: ['url'], message: 'an entry has a command or a url, not both' }];
  const transport = raw.command === undefined ? 'http' : 'stdio';
  const strangers = transport === 'http' ? (['args', 'env', 'cwd'] as const) : (['headers'] as const);
  const stray = strangers.filter((key) => raw[key] !== undefined && Object.keys(raw[key]).length > 0);
  const issues = stray.map((key) => ({
    path: [key],
    message: `means nothing for a server with a ${transport === 'http' ? 'url' : 'command'}: remove it`,
  }));
  const wrongType = typeIssue(raw, transport);
  return wrongType === undefined ? issues : [...issues, wrongType];
}

export const ServerEntry = RawServer.superRefine((raw, context) => {
  for (const issue of issuesOf(raw)) context.addIssue({ code: 'custom', ...issue });
});

/** A placeholder of a host, such as `${input:token}`, `${workspaceFolder}` or `${TOKEN}`: it stays as it is. */
const PLACEHOLDER = /\$\{[A-Za-z_][\w:.-]*\}/;

/** The settings of an entry, as `headers.Authorization`, that hold a placeholder. Their values may be secret and are not shown. */
function placeholders(value: unknown, path: string): string[] {
  if (typeof value === 'string') return PLACEHOLDER.test(value) ? [path] : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => placeholders(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`));
}

/** Warnings for what an entry brought from its host and means nothing here. */
export function serverWarnings(name: string, raw: RawServer): string[] {
  const written: Readonly<Record<string, unknown>> = raw;
  const present = Object.keys(FOREIGN_KEYS).filter((key) => written[key] !== undefined);
  const { command, args, env, cwd, url, headers } = written;
  const unread = placeholders({ command, args, env, cwd, url, headers }, `mcpServers.${name}`);
  return [
    ...present.map((key) => `mcpServers.${name}.${key} means nothing here (${FOREIGN_KEYS[key] ?? ''}) and is ignored.`),
    ...unread.map((path) => `${path} holds a placeholder that is not replaced here: only \${env:NAME} is.`),
  ];
}

/** A checked entry with its defaults; relative paths count from `folder`. */
export function serverFrom(raw: RawServer, folder: string, deadlineSeconds: number): McpServer {
  const common = {
    era: raw.era ?? 'auto',
    scopes: raw.scopes ?? [],
    deadlineSeconds: raw.deadlineSeconds ?? deadlineSeconds,
    maxInFlight: raw.maxInFlight ?? 64,
  } as const;
  if (raw.command === undefined) {
    const url = raw.url ?? raw.httpUrl ?? raw.serverUrl ?? '';
    return { ...common, transport: 'http', url, headers: raw.headers ?? {} };
  }
  // A bare word is looked up on PATH; a relative path would otherwise count from the child's folder.
  const isPath = /[/\\]/.test(raw.command) && !isAbsolute(raw.command);
  const command = isPath ? resolve(folder, raw.command) : raw.command;
  return { ...common, transport: 'stdio', command, args: raw.args ?? [], env: raw.env ?? {}, cwd: resolve(folder, raw.cwd ?? '.') };
}
