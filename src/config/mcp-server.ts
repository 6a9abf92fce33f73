import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { nearest } from './suggest.ts';
import { filled, folderOrUri, serverUrl, whole } from './values.ts';

/** What an operator says of one tool of a server. */
export interface ToolPolicy {
  readonly tasks: 'never' | 'always' | 'after_input' | 'required';
  readonly requires: Readonly<Record<string, unknown>>;
}

/** An entry of `mcpServers`, ready for use: paths absolute, defaults filled in. */
export type McpServer = {
  readonly era: 'auto' | 'modern' | 'legacy';
  /** Scopes that a caller needs for any tool of this server, all of them. */
  readonly scopes: readonly string[];
  readonly deadlineSeconds: number;
  readonly maxInFlight: number;
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
});

const ROOT = 'must be a folder, a file:/// URI or { uri, name }';
const RawRoot = z.union([folderOrUri(), z.strictObject({ uri: folderOrUri(), name: filled().optional() })], { error: ROOT });

const RawServer = z.strictObject({
  command: filled().optional().describe('program to start (a stdio server); without a shell'),
  args: z.array(z.string()).optional().describe('its arguments'),
  env: z.record(VariableName, VariableValue).optional().describe('its variables, besides PATH, HOME, LANG and TMPDIR'),
  cwd: filled().optional().describe("its folder; by default the configuration file's"),
  url: serverUrl().optional().describe('endpoint of a server over HTTP or WebSocket'),
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
  'headers',
  'type',
  'disabled',
  'era',
  'scopes',
  'deadlineSeconds',
  'maxInFlight',
  'maxLeases',
  'roots',
  'unlisted',
  'tools',
  'tasks',
  'requires',
];

type Issue = { readonly path: string[]; readonly message: string };

const isSocketUrl = (url: string): boolean => /^wss?:/i.test(url);

/** The spellings of the transport's kind, in the order in which they count. */
const TYPE_KEYS = ['type', 'transport', 'transportType'] as const;

/** What the entry says or, where it says nothing, what its command or url is. */
function transportOf(raw: RawServer): Transport {
  const type = raw.type ?? raw.transport ?? raw.transportType ?? '';
  if (raw.command !== undefined) return 'stdio';
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
  if (raw.command === undefined && urls.length === 0)
    return [{ path: [], message: 'needs a command (a stdio server) or a url (a server over HTTP or WebSocket)' }];
  if (raw.command !== undefined && urls.length > 0) return [{ path: ['url'], message: 'an entry has a command or a url, not both' }];
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

function policyFrom({ tasks = 'never', requires = {} }: z.infer<typeof RawTool>): ToolPolicy {
  return { tasks, requires };
}

function rootFrom(root: z.infer<typeof RawRoot>, folder: string): McpServer['roots'][number] {
  const { uri, name } = typeof root === 'string' ? { uri: root, name: undefined } : root;
  const full = uri.startsWith('file:') ? uri : pathToFileURL(resolve(folder, uri)).href;
  return name === undefined ? { uri: full } : { uri: full, name };
}

/** A checked entry with its defaults; relative paths count from `folder`. */
export function serverFrom(raw: RawServer, folder: string, deadlineSeconds: number): McpServer {
  const common = {
    era: raw.era ?? 'auto',
    scopes: raw.scopes ?? [],
    deadlineSeconds: raw.deadlineSeconds ?? deadlineSeconds,
    maxInFlight: raw.maxInFlight ?? 64,
    maxLeases: raw.maxLeases ?? 8,
    roots: (raw.roots ?? []).map((root) => rootFrom(root, folder)),
    unlisted: raw.unlisted ?? 'refuse',
    tools: Object.fromEntries(Object.entries(raw.tools ?? {}).map(([name, tool]) => [name, policyFrom(tool)])),
  } as const;
  const transport = transportOf(raw);
  if (raw.command === undefined || transport !== 'stdio') {
    const url = urlOf(raw);
    const kind = transport === 'stdio' ? 'http' : transport;
    return { ...common, transport: kind, url: kind === 'ws' ? url.replace(/^http/i, 'ws') : url, headers: raw.headers ?? {} };
  }
  // A bare word is looked up on PATH; a relative path would otherwise count from the child's folder.
  const isPath = /[/\\]/.test(raw.command) && !isAbsolute(raw.command);
  const command = isPath ? resolve(folder, raw.command) : raw.command;
  return { ...common, transport: 'stdio', command, args: raw.args ?? [], env: raw.env ?? {}, cwd: resolve(folder, raw.cwd ?? '.') };
}
