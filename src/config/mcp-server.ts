import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { nearest } from './suggest.ts';
import { filled, folderOrUri, serverUrl, whole } from './values.ts';

/** What an operator says of one tool of a server. */
export interface ToolPolicy {
  readonly tasks: 'never' | 'always' | 'after_input' | 'required';
  readonly requires: Readonly<Record<string, unknown>>;
  /** Stands above what its server says of it. */
  readonly sideEffect?: 'read' | 'idempotent_write' | 'write' | undefined;
  /** Stands above the server's. */
  readonly deadlineSeconds?: number | undefined;
  /** How long its results are kept; not at all unless it is given. */
  readonly cacheSeconds?: number | undefined;
  /** Every caller may get the same kept result. */
  readonly cacheShared?: boolean | undefined;
  /** Of an HTTP API only. */
  readonly rename?: string | undefined;
  readonly description?: string | undefined;
  readonly hidden?: boolean | undefined;
}

/** What an entry of an HTTP API has besides the common settings. */
interface ApiPart {
  readonly transport: 'openapi';
  /** Absolute path or URL. */
  readonly openapi: string;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** An entry of `mcpServers`, ready for use: paths absolute, defaults filled in. */
export type McpServer = {
  readonly era: 'auto' | 'modern' | 'legacy';
  /** Scopes that a caller needs for any tool of this server, all of them. */
  readonly scopes: readonly string[];
  readonly deadlineSeconds: number;
  readonly maxInFlight: number;
  /** Calls that wait for a place. */
  readonly maxQueued: number;
  /** What becomes of tools whose definition changes after its first use. */
  readonly pin: 'strict' | 'warn' | 'off';
  /** How often a call that can do no harm is tried again. */
  readonly retries: number;
  /** Legacy connections that carry one call at a time, for clients that can be asked. */
  readonly maxLeases: number;
  readonly roots: readonly { readonly uri: string; readonly name?: string | undefined }[];
  readonly unlisted: 'refuse' | 'forward';
  /** By the server's own tool name. */
  readonly tools: Readonly<Record<string, ToolPolicy>>;
} & (
  | {
      readonly transport: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
    }
  | { readonly transport: 'http' | 'sse' | 'ws'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | ApiPart
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
const WS_TYPES = ['ws', 'websocket'];
const KNOWN_TYPES = [...STDIO_TYPES, ...HTTP_TYPES, 'sse', ...WS_TYPES];

type Transport = McpServer['transport'];

const capability = z.record(z.string(), z.unknown()).optional();

/** Settings of one tool, by the name that the server gave it. */
const RawTool = z.strictObject({
  tasks: z
    .enum(['never', 'always', 'after_input', 'required'])
    .optional()
    .describe('when a call becomes a task, for clients that know tasks; `never` by default'),
  requires: z
    .strictObject({ elicitation: capability, sampling: capability, roots: capability, extensions: capability })
    .optional()
    .describe('what a client must declare to call it, such as `{ sampling: {} }`'),
  rename: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 of letters, digits, _, . and -')
    .optional()
    .describe('another name (HTTP APIs)'),
  description: filled().optional().describe('another description (HTTP APIs)'),
  hidden: z.boolean().optional().describe('`true` leaves the tool out (HTTP APIs)'),
  sideEffect: z
    .enum(['read', 'idempotent_write', 'write'])
    .optional()
    .describe('what a call does in the world: only a `read` is repeated, shared and kept; `write` by default'),
  deadlineSeconds: whole(1, 3600).optional().describe("longest wait for a call of it; by default the server's"),
  cacheSeconds: whole(1, 86_400).optional().describe('how long results of a `read` are kept; not at all by default'),
  cacheShared: z.boolean().optional().describe('`true` if every caller may get the same kept result'),
});

const ROOT = 'must be a folder, a file:/// URI or { uri, name }';
const RawRoot = z.union([folderOrUri(), z.strictObject({ uri: folderOrUri(), name: filled().optional() })], { error: ROOT });

const RawServer = z.strictObject({
  command: filled().optional().describe('program to start (a stdio server); without a shell'),
  args: z.array(z.string()).optional().describe('its arguments'),
  env: z.record(VariableName, VariableValue).optional().describe('its variables, besides PATH, HOME, LANG and TMPDIR'),
  cwd: filled().optional().describe("its folder; by default the configuration file's"),
  url: serverUrl().optional().describe('endpoint of a server over HTTP or WebSocket'),
  openapi: filled().optional().describe('file or URL of the OpenAPI document of an HTTP API; `url` is then where the API is'),
  include: z
    .array(filled())
    .optional()
    .describe('operations that become tools: patterns with `*` over operationId, `METHOD /path` and tags'),
  exclude: z.array(filled()).optional().describe('operations that do not'),
  variables: z.record(z.string(), z.string()).optional().describe("values of variables in the document's server URL"),
  headers: z.record(HeaderName, HeaderValue).optional().describe('headers of every request to it'),
  type: z
    .string()
    .optional()
    .describe('`stdio`, `http` (Streamable HTTP), `sse` (HTTP+SSE of 2024-11-05) or `ws`; follows from `command` or `url`'),
  disabled: z.boolean().optional().describe('`true` leaves the server out'),
  era: z.enum(['auto', 'modern', 'legacy']).optional().describe('which MCP revisions to speak; `auto` asks the server (default)'),
  scopes: z
    .array(z.string().regex(/^[a-z][a-z0-9:_-]*$/, 'must look like market:read'))
    .optional()
    .describe('scopes a caller needs for its tools'),
  deadlineSeconds: whole(1, 3600).optional().describe('longest wait for one call; `limits.callSeconds` by default'),
  maxInFlight: whole(1, 10_000).optional().describe('calls at once; 64 by default'),
  maxQueued: whole(0, 10_000).optional().describe('calls that wait while `maxInFlight` are under way; 64 by default'),
  pin: z
    .enum(['strict', 'warn', 'off'])
    .optional()
    .describe(
      'a tool whose definition changes after its first use: `strict` withholds it until it is accepted (default), `warn` shows it, `off` pins nothing',
    ),
  retries: whole(0, 5).optional().describe('how often a read is tried again after a failure; 2 by default'),
  maxLeases: whole(1, 1_000).optional().describe('connections for clients that can be asked, one call at a time each; 8 by default'),
  roots: z.array(RawRoot).optional().describe('folders that the server is told of when it asks outside a call'),
  unlisted: z
    .enum(['refuse', 'forward'])
    .optional()
    .describe('calls of tools that the server does not list, on `/mcp/<name>`; `refuse` by default'),
  tools: z.record(z.string(), RawTool).optional().describe('settings by tool'),
  transport: z.string().optional(),
  transportType: z.string().optional(),
  enabled: z.boolean().optional(),
  serverUrl: serverUrl().optional(),
  httpUrl: serverUrl().optional(),
});
export type RawServer = z.infer<typeof RawServer>;

/** Every key of an entry that means something here, the hosts' spellings included. */
export const SERVER_KEYS: readonly string[] = Object.keys(RawServer.shape);

/** Settings of an entry that the reference lists; the others are the hosts' spellings of them. */
export const DOCUMENTED = [
  'command',
  'args',
  'env',
  'cwd',
  'url',
  'openapi',
  'include',
  'exclude',
  'variables',
  'headers',
  'type',
  'disabled',
  'era',
  'scopes',
  'deadlineSeconds',
  'maxInFlight',
  'maxQueued',
  'retries',
  'pin',
  'maxLeases',
  'roots',
  'unlisted',
  'tools',
  'tasks',
  'requires',
  'rename',
  'description',
  'hidden',
  'sideEffect',
  'cacheSeconds',
  'cacheShared',
];

type Issue = { readonly path: string[]; readonly message: string };

const isSocketUrl = (url: string): boolean => /^wss?:/i.test(url);

/** The spellings of the transport's kind, in the order in which they count. */
const TYPE_KEYS = ['type', 'transport', 'transportType'] as const;

/** What the entry says or, where it says nothing, what its command or url is. */
function transportOf(raw: RawServer): Transport {
  const type = raw.type ?? raw.transport ?? raw.transportType ?? '';
  if (raw.command !== undefined) return 'stdio';
  if (raw.openapi !== undefined) return 'openapi';
  if (type === 'sse') return 'sse';
  return WS_TYPES.includes(type) || isSocketUrl(urlOf(raw)) ? 'ws' : 'http';
}

const urlOf = (raw: RawServer): string => raw.url ?? raw.httpUrl ?? raw.serverUrl ?? '';

function typeIssue(raw: RawServer): Issue | undefined {
  const key = TYPE_KEYS.find((each) => raw[each] !== undefined);
  const type = key && raw[key];
  if (key === undefined || type === undefined) return undefined;
  if (!KNOWN_TYPES.includes(type)) {
    const guess = nearest(type, KNOWN_TYPES);
    return {
      path: [key],
      message: `is unknown: stdio, http, sse and ws are known here.${guess === undefined ? '' : ` Did you mean ${guess}?`}`,
    };
  }
  const isProgram = raw.command !== undefined;
  if (STDIO_TYPES.includes(type) !== isProgram)
    return { path: [key], message: isProgram ? `is ${type}, but the entry has a command` : 'is stdio, but the entry has a url' };
  if (isSocketUrl(urlOf(raw)) && !WS_TYPES.includes(type)) return { path: [key], message: `is ${type}, but the url is a WebSocket's` };
  return undefined;
}

function issuesOf(raw: RawServer): Issue[] {
  const urls = [raw.url, raw.serverUrl, raw.httpUrl].filter((url) => url !== undefined);
  if (raw.command === undefined && raw.openapi === undefined && urls.length === 0)
    return [{ path: [], message: 'needs a command (a stdio server), a url (a server over HTTP or WebSocket) or openapi (an HTTP API)' }];
  if (raw.command !== undefined && urls.length > 0) return [{ path: ['url'], message: 'an entry has a command or a url, not both' }];
  const apiOnly = (['include', 'exclude', 'variables'] as const).filter((key) => raw.openapi === undefined && raw[key] !== undefined);
  if (apiOnly.length > 0) return apiOnly.map((key) => ({ path: [key], message: 'means something only beside openapi: remove it' }));
  if (raw.openapi !== undefined && raw.command !== undefined)
    return [{ path: ['openapi'], message: 'an entry has a command or an OpenAPI document, not both' }];
  if (raw.openapi !== undefined && isSocketUrl(urlOf(raw))) return [{ path: ['url'], message: 'must be an http:// or https:// URL' }];
  const isProgram = raw.command !== undefined;
  const strangers = isProgram ? (['headers'] as const) : (['args', 'env', 'cwd'] as const);
  const stray = strangers.filter((key) => raw[key] !== undefined && Object.keys(raw[key]).length > 0);
  const issues = stray.map((key) => ({
    path: [key],
    message: `means nothing for a server with a ${isProgram ? 'command' : 'url'}: remove it`,
  }));
  const wrongType = typeIssue(raw);
  return wrongType === undefined ? issues : [...issues, wrongType];
}

export const ServerEntry = RawServer.superRefine((raw, context) => {
  for (const issue of issuesOf(raw)) context.addIssue({ code: 'custom', ...issue });
});

/** True for an entry that is left out, in either spelling. */
export const isDisabled = ({ disabled, enabled }: RawServer): boolean => disabled === true || enabled === false;

function policyFrom({ tasks = 'never', requires = {}, ...api }: z.infer<typeof RawTool>): ToolPolicy {
  return { ...api, tasks, requires };
}

function rootFrom(root: z.infer<typeof RawRoot>, folder: string): McpServer['roots'][number] {
  const { uri, name } = typeof root === 'string' ? { uri: root, name: undefined } : root;
  const full = uri.startsWith('file:') ? uri : pathToFileURL(resolve(folder, uri)).href;
  return name === undefined ? { uri: full } : { uri: full, name };
}

function apiFrom(raw: RawServer, openapi: string, folder: string): ApiPart {
  const place = /^https?:\/\//i.test(openapi) ? openapi : resolve(folder, openapi);
  const { headers = {}, variables = {}, include = [], exclude = [] } = raw;
  return { transport: 'openapi', openapi: place, url: urlOf(raw) || undefined, headers, variables, include, exclude };
}

/** A checked entry with its defaults; relative paths count from `folder`. */
export function serverFrom(raw: RawServer, folder: string, deadlineSeconds: number): McpServer {
  const common = {
    era: raw.era ?? 'auto',
    scopes: raw.scopes ?? [],
    deadlineSeconds: raw.deadlineSeconds ?? deadlineSeconds,
    maxInFlight: raw.maxInFlight ?? 64,
    maxQueued: raw.maxQueued ?? 64,
    retries: raw.retries ?? 2,
    pin: raw.pin ?? 'strict',
    maxLeases: raw.maxLeases ?? 8,
    roots: (raw.roots ?? []).map((root) => rootFrom(root, folder)),
    unlisted: raw.unlisted ?? 'refuse',
    tools: Object.fromEntries(Object.entries(raw.tools ?? {}).map(([name, tool]) => [name, policyFrom(tool)])),
  } as const;
  const transport = transportOf(raw);
  if (raw.openapi !== undefined) return { ...common, ...apiFrom(raw, raw.openapi, folder) };
  if (raw.command === undefined || transport !== 'stdio') {
    const url = urlOf(raw);
    const kind = transport === 'stdio' || transport === 'openapi' ? 'http' : transport;
    return { ...common, transport: kind, url: kind === 'ws' ? url.replace(/^http/i, 'ws') : url, headers: raw.headers ?? {} };
  }
  // A bare word is looked up on PATH; a relative path would otherwise count from the child's folder.
  const isPath = /[/\\]/.test(raw.command) && !isAbsolute(raw.command);
  const command = isPath ? resolve(folder, raw.command) : raw.command;
  return { ...common, transport: 'stdio', command, args: raw.args ?? [], env: raw.env ?? {}, cwd: resolve(folder, raw.cwd ?? '.') };
}
