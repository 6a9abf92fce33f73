import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { AGENT_SCOPES, type Authentication, type Authenticator, type Principal } from '../security/index.ts';
import { Caps } from '../shared/index.ts';
import { createHttpHost, type HttpEvent, type HttpHost, type HttpHostOptions } from './index.ts';

const principal = (client: string, scopes: readonly string[]): Principal => ({
  id: `key:${client}`,
  kind: 'api_key',
  client,
  scopes: new Set(scopes),
});

/** Secrets of the tests; none of them may turn up in an event or an answer. */
export const SECRET = {
  agent: 'agent-secret-000',
  approver: 'approver-secret-000',
  admin: 'admin-secret-000',
  revoked: 'revoked-secret-000',
};

const known = new Map([
  [SECRET.agent, principal('agent', AGENT_SCOPES)],
  [SECRET.approver, principal('approver', ['approve'])],
  [SECRET.admin, principal('admin', ['admin'])],
]);

export const testAuthenticator: Authenticator = {
  authenticate(authorization): Authentication {
    if (authorization === undefined) return { ok: false, code: 'credential_missing', status: 401, message: 'No credential.' };
    const token = authorization.slice('Bearer '.length);
    const found = known.get(token);
    if (found !== undefined) return { ok: true, principal: found };
    if (token === SECRET.revoked) return { ok: false, code: 'credential_revoked', status: 401, message: 'This "key" was revoked.' };
    return { ok: false, code: 'credential_unknown', status: 401, message: 'Unknown API key.' };
  },
};

export interface Running {
  readonly host: HttpHost;
  readonly port: number;
  readonly url: string;
  readonly socketPath: string | undefined;
  readonly events: HttpEvent[];
  readonly caps: Caps;
}

export const bearer = (secret: string): { authorization: string } => ({ authorization: `Bearer ${secret}` });

/** A host with a route behind each guard. `/mcp` answers with the number of body bytes it read itself, on a hijacked reply. */
export function makeHost(overrides: Partial<HttpHostOptions> = {}): { host: HttpHost; events: HttpEvent[]; caps: Caps } {
  const events: HttpEvent[] = [];
  const caps = new Caps();
  const host = createHttpHost({
    host: '127.0.0.1',
    port: 0,
    trustedProxies: [],
    allowedHosts: [],
    allowedOrigins: [],
    authenticator: testAuthenticator,
    clock: { now: () => Date.now() },
    caps,
    onEvent: (event) => events.push(event),
    ...overrides,
  });
  host.surface('mcp', async (app) => {
    app.post('/mcp', (request, reply) => {
      reply.hijack();
      let bytes = 0;
      request.raw.on('data', (chunk: Buffer) => (bytes += chunk.length));
      request.raw.on('end', () =>
        reply.raw.end(JSON.stringify({ bytes, client: request.principal.client, address: request.clientAddress })),
      );
    });
  });
  host.surface(
    'admin',
    async (app) => {
      app.get('/who', (request) => ({ id: request.principal.id }));
      app.post('/echo', (request) => request.body);
      app.get('/boom', () => {
        throw new Error(`private detail ${SECRET.agent}`);
      });
    },
    '/admin/v1',
  );
  host.surface('api', async (app) => {
    app.get('/stockpulse/thing', (request) => ({ id: request.principal.id }));
  });
  return { host, events, caps };
}

export async function startHost(overrides: Partial<HttpHostOptions> = {}): Promise<Running> {
  const { host, events, caps } = makeHost(overrides);
  const { port, url, socketPath } = await host.listen();
  return { host, port, url, socketPath, events, caps };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON. */
  json(): unknown;
}

/** One request over a connection of its own. */
export function send(options: RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) as unknown }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Raw bytes to a port; resolves with everything that came back once the other side closes. */
export async function sendRaw(port: number, bytes: string, options: { keepWriting?: string } = {}): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes);
  const { keepWriting } = options;
  const drip = keepWriting === undefined ? undefined : setInterval(() => socket.write(keepWriting), 20);
  await once(socket, 'close');
  clearInterval(drip);
  return text;
}
