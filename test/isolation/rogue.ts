/** A modern server that misbehaves by the name of its tool: over stdio as `node rogue.ts`, over HTTP in the test's own process. */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startLocalServer, type LocalServer } from '../support/relay.ts';

export const ROGUE = fileURLToPath(import.meta.url);
export const FLOOD = 100_000;

const TOOLS = ['echo', 'twice', 'strangers', 'rubbish', 'flood', 'deaf'];
/** More than any pipe holds, so that a server that writes it without being read waits. */
const PAUSE_EVERY = 500;

interface Request {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: { readonly name?: string };
}

const said = (id: unknown, text: string): object => ({
  jsonrpc: '2.0',
  id,
  result: { resultType: 'complete', content: [{ type: 'text', text }] },
});

/** All that is sent for one tools/call. */
function* answers({ id, params }: Request): Generator<unknown> {
  const name = params?.name;
  if (name === 'strangers') for (const stranger of ['nobody', 999_999, null, '', String(id)]) yield said(stranger, 'of a stranger');
  if (name === 'rubbish') yield* [{}, [], 'text', 7, null, { jsonrpc: '2.0' }, { jsonrpc: '1.0', id, result: {} }, { id, method: 5 }];
  if (name === 'flood')
    for (let i = 0; i < FLOOD; i++) yield { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: i } };
  yield said(id, name ?? '');
  if (name === 'twice') yield* [said(id, 'again'), { jsonrpc: '2.0', id, error: { code: -32603, message: 'again' } }];
}

/** The answer to anything that is not a call. */
function greeting({ id, method }: Request): object {
  const common = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' };
  const tools = TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } }));
  if (method === 'server/discover')
    return { jsonrpc: '2.0', id, result: { ...common, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } };
  if (method === 'tools/list') return { jsonrpc: '2.0', id, result: { ...common, tools } };
  return { jsonrpc: '2.0', id, error: { code: -32601, message: `Method not found: ${method}` } };
}

async function pour(request: Request, write: (message: unknown) => boolean, drained: () => Promise<unknown>): Promise<void> {
  let sent = 0;
  for (const message of answers(request)) if (!write(message) && ++sent % PAUSE_EVERY === 0) await drained();
}

export function startRogue(): Promise<LocalServer> {
  return startLocalServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const request = JSON.parse(body) as Request;
      if (request.id === undefined) return void res.writeHead(202).end();
      if (request.method !== 'tools/call')
        return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(greeting(request)));
      if (request.params?.name === 'deaf') return;
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.on('error', () => undefined);
      const closed = new Promise((resolve) => res.once('close', resolve));
      const drained = (): Promise<unknown> => Promise.race([closed, new Promise((resolve) => res.once('drain', resolve))]);
      void pour(request, (message) => res.write(`data: ${JSON.stringify(message)}\n\n`), drained).then(() => res.end());
    });
  });
}

function serveStdio(): void {
  const write = (message: unknown): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);
  const drained = (): Promise<unknown> => new Promise((resolve) => process.stdout.once('drain', resolve));
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const request = JSON.parse(line) as Request;
    if (request.id === undefined) return;
    if (request.method !== 'tools/call') return void write(greeting(request));
    if (request.params?.name !== 'deaf') return void pour(request, write, drained);
    process.stdin.pause();
    lines.pause();
    setInterval(() => undefined, 60_000);
  });
  lines.on('close', () => process.exit(0));
}

if (process.argv[1] === ROGUE) serveStdio();
