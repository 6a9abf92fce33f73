/**
 * What a Node proxy costs at the least: read the body, parse it, check the headers against it, dispatch it with undici, send what comes
 * back. It knows nobody, limits nothing and records nothing. Argument: the upstream's port. Prints its own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool, type Dispatcher } from 'undici';

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 64, pipelining: 1 });

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #chunks: Buffer[] = [];
  #status = 502;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(): void {
    // Nothing to do before the answer.
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#response.writeHead(this.#status, { 'content-type': 'application/json', 'content-length': body.length });
    this.#response.end(body);
  }

  onResponseError(): void {
    this.#response.writeHead(502).end();
  }
}

interface Body {
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

function agrees({ headers }: IncomingMessage, body: Body): boolean {
  return (
    headers['mcp-method'] === body.method && headers['mcp-name'] === body.params?.name && headers['mcp-protocol-version'] === '2026-07-28'
  );
}

function forward(request: IncomingMessage, bytes: Buffer, response: ServerResponse): void {
  const body = JSON.parse(bytes.toString('utf8')) as Body;
  if (!agrees(request, body)) {
    response.writeHead(400).end();
    return;
  }
  const { headers } = request;
  pool.dispatch(
    {
      path: '/mcp',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': String(headers['mcp-method']),
        'mcp-name': String(headers['mcp-name']),
      },
      body: bytes,
    },
    new Relay(response),
  );
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => forward(request, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks), response));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' && address !== null ? address.port : 0);
});
