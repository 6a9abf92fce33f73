/**
 * What a Node bridge from HTTP to one stdio child costs at the least: parse, check the headers, replace the id, write a line, match the
 * answer. Prints its port.
 */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';

const child = spawn(process.execPath, [fileURLToPath(new URL('upstream-stdio.ts', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const waiting = new Map<number, { response: ServerResponse; id: unknown }>();
let next = 0;

interface Body {
  id?: unknown;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

let rest = '';
child.stdout.setEncoding('utf8');
child.stdout.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) deliver(line);
});

function deliver(line: string): void {
  const message = JSON.parse(line) as Body;
  const call = waiting.get(message.id as number);
  if (call === undefined) return;
  waiting.delete(message.id as number);
  message.id = call.id;
  const text = JSON.stringify(message);
  call.response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  call.response.end(text);
}

function forward({ headers }: IncomingMessage, bytes: Buffer, response: ServerResponse): void {
  const body = JSON.parse(bytes.toString('utf8')) as Body;
  if (headers['mcp-method'] !== body.method || headers['mcp-name'] !== body.params?.name) {
    response.writeHead(400).end();
    return;
  }
  const id = ++next;
  waiting.set(id, { response, id: body.id });
  body.id = id;
  child.stdin.write(`${JSON.stringify(body)}\n`);
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => forward(request, Buffer.concat(chunks), response));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' && address !== null ? address.port : 0);
});
process.on('SIGTERM', () => {
  child.kill();
  process.exit(0);
});
