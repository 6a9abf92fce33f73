import { fastify, type FastifyInstance } from 'fastify';
import { ADMIN_PREFIX, mapError, type ApiKeyReply, type ServerTest, type ToolList } from '../contract/index.ts';
import { NO_LISTS, Registry, type ServerEntry } from '../registry/index.ts';
import { LOCAL_OPERATOR, type ApiKeys, type AuditEntry, type Authentication, type KeyActor } from '../security/index.ts';
import { AppError } from '../shared/index.ts';
import { adminApi, type AdminApiOptions } from './index.ts';

export const APPROVER = 'the-approver-secret';
export const AGENT = 'the-agent-secret';

const key = (id: string): ApiKeyReply => ({
  id,
  name: 'bot',
  principal: `key:${id}`,
  scopes: ['market:read'],
  state: 'live',
  hint: 'abcd',
  createdAt: '2026-06-01T00:00:00.000Z',
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
  replacedBy: null,
});

function authenticate(authorization: string | undefined): Authentication {
  const scopes = authorization === `Bearer ${APPROVER}` ? ['approve'] : authorization === `Bearer ${AGENT}` ? ['market:read'] : undefined;
  if (scopes === undefined) return { ok: false, code: 'credential_unknown', status: 401, message: 'Unknown API key.' };
  return { ok: true, principal: { id: 'key:x', kind: 'api_key', client: 'x', scopes: new Set(scopes) } };
}

/** A key store that does nothing but write the audit row which its verbs promise; what the real one does is tested beside it. */
function fakeKeys(trail: AuditEntry[], actors: KeyActor[]): ApiKeys {
  const done = (action: string, subject: string, actor: KeyActor): void => {
    trail.push({ actor: actor.principal.id, action, subject, detail: {} });
    actors.push(actor);
  };
  const view = key('key_1') as Awaited<ReturnType<ApiKeys['list']>>[number];
  const nothing = async (): Promise<void> => undefined;
  return {
    authenticate,
    create: async (input, actor) => {
      done('key.create', input.name, actor);
      return { key: view, secret: 'spk_new' };
    },
    list: async () => [view],
    rotate: async (id, _options, actor) => {
      if (id !== 'key_1') throw new AppError('key_not_found', 'There is no API key with this id.');
      done('key.rotate', id, actor);
      return { key: view, secret: 'spk_new', previous: view };
    },
    revoke: async (id, actor) => {
      done('key.revoke', id, actor);
      return view;
    },
    createFirst: async () => undefined,
    reload: nothing,
    flush: nothing,
    start: () => undefined,
    stop: nothing,
  };
}

const entry = (name: string, overrides: Partial<ServerEntry>): ServerEntry => ({
  name,
  kind: 'upstream',
  transport: 'stdio',
  state: { state: 'ready', since: Date.UTC(2026, 5, 1) },
  eras: ['modern'],
  facts: { info: { name: 'files-server', version: '1.2.3' }, capabilities: { tools: {} }, instructions: 'Be kind.' },
  tools: [],
  toolsCache: { ttlMs: 0, cacheScope: 'private' },
  ...NO_LISTS,
  warnings: ['tool x is left out'],
  ...overrides,
});

const tested: ServerTest = {
  ok: true,
  name: 'files',
  durationMs: 3,
  transport: 'stdio',
  revision: '2026-07-28',
  eras: ['modern'],
  tools: 0,
  prompts: 0,
  resources: 0,
  templates: 0,
  warnings: [],
};
const tools: ToolList = {
  endpoint: '/mcp',
  warnings: [],
  tools: [{ name: 'echo', server: 'files', inputSchema: { type: 'object' }, annotations: {}, sideEffect: 'read', scopes: [] }],
};

export interface Api {
  readonly app: FastifyInstance;
  readonly trail: AuditEntry[];
  readonly actors: KeyActor[];
  readonly options: AdminApiOptions;
}

/** The API on a bare Fastify with the host's error mapping, for the local operator. */
export async function makeApi(overrides: Partial<AdminApiOptions> = {}): Promise<Api> {
  const trail: AuditEntry[] = [];
  const actors: KeyActor[] = [];
  const registry = new Registry();
  registry.put(entry('stockpulse', { kind: 'stockpulse', transport: 'local' }));
  registry.put(entry('files', {}));
  registry.put(entry('news', { state: { state: 'backing_off', reason: 'connection refused', retryAt: Date.UTC(2026, 5, 2) } }));
  const options: AdminApiOptions = {
    version: '1.0.0',
    apiKeys: fakeKeys(trail, actors),
    audit: { record: async (row) => void trail.push(row), list: async () => [] },
    registry,
    restartServer: async () => undefined,
    waitingTools: () => [],
    acceptTools: async (_name, tools) => (tools === 'all' ? [] : tools),
    testServer: async () => tested,
    listTools: async (endpoint) => (endpoint === '/mcp' ? tools : undefined),
    callTool: async (_principal, _endpoint, name, args) => ({
      outcome: 'complete',
      result: { content: [], structuredContent: { name, args } },
      durationMs: 1,
    }),
    status: async () => ({
      version: '1.0.0',
      pid: 1,
      node: 'v24',
      url: null,
      startedAt: '2026-06-01T00:00:00.000Z',
      uptimeSeconds: 1,
      storage: 'pglite',
      dataDir: '/data',
      servers: { total: 3, ready: 2 },
      sessions: 0,
      callsInFlight: 0,
      limits: [],
      config: { file: null },
      warnings: [],
    }),
    doctor: async () => ({ ok: true, checks: [{ name: 'node', status: 'ok', message: 'v24' }] }),
    ...overrides,
  };
  const app = fastify();
  app.decorateRequest('principal', null as never);
  app.addHook('onRequest', (request, _reply, done) => {
    request.principal = LOCAL_OPERATOR;
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    const { status, ...body } = mapError(error);
    return reply.code(status).send({ error: body });
  });
  await app.register(adminApi(options), { prefix: ADMIN_PREFIX });
  return { app, trail, actors, options };
}
