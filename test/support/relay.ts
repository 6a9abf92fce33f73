import { createServer, request, type ClientRequest, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalServer {
  readonly url: string;
  close(): Promise<void>;
}

/** An HTTP server on a free loopback port, for one test file. */
export async function startLocalServer(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

/** Passes a request on, byte by byte as it comes, and its answer back; when one side goes away, so does the other. */
export function forward(req: IncomingMessage, res: ServerResponse, to: URL, more: readonly string[] = []): ClientRequest {
  const { hostname: host, port, pathname, search } = to;
  const headers = [...req.rawHeaders, ...more];
  const onward = request({ host, port, method: req.method, path: pathname + search, headers, agent: false });
  onward.on('response', (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders).flushHeaders();
    answer.pipe(res);
    answer.on('error', () => res.destroy());
    answer.on('close', () => {
      if (!answer.complete) res.destroy();
    });
  });
  onward.on('error', () => res.destroy());
  res.on('close', () => onward.destroy());
  req.pipe(onward);
  return onward;
}

/** A relay for clients that cannot send a credential: adds the Authorization header and changes nothing else. */
export function startRelay(target: string, key: string): Promise<LocalServer> {
  return startLocalServer((req, res) => void forward(req, res, new URL(req.url ?? '/', target), ['Authorization', `Bearer ${key}`]));
}
