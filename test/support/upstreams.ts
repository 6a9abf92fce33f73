import { createServer, type AddressInfo } from 'node:net';
import { formatOptions, HTTP_UPSTREAM, STDIO_UPSTREAM, type FixtureOptions } from '../fixtures/upstreams/index.ts';
import { everythingServer, filesystemServer } from './paths.ts';
import { MARK } from './process-marks.ts';
import { OwnedProcess } from './processes.ts';

/** An entry of `mcpServers`. */
export type ServerBlock = Readonly<Record<string, unknown>>;

/** server-everything as a child of the gateway. */
export function everythingStdio(mark = '', env: Readonly<Record<string, string>> = {}): ServerBlock {
  return { command: process.execPath, args: [everythingServer(), 'stdio'], env: { [MARK]: mark, ...env } };
}

/** server-filesystem on one folder. */
export function filesystemStdio(folder: string, mark = ''): ServerBlock {
  return { command: process.execPath, args: [filesystemServer(), folder], env: { [MARK]: mark } };
}

/** A port that was free a moment ago, for servers that cannot tell which one they took. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** server-everything over Streamable HTTP, in a process of its own. Somebody may take the port in between: then the next one. */
export async function startEverythingHttp(): Promise<{ block: ServerBlock; url: string; process: OwnedProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = new OwnedProcess(process.execPath, [everythingServer(), 'streamableHttp'], { env: { PORT: String(port) } });
    try {
      await server.printed('stderr', /listening on port/);
      const url = `http://127.0.0.1:${port}/mcp`;
      return { block: { type: 'http', url }, url, process: server };
    } catch (error) {
      await server.stop();
      if (attempt === 3) throw error;
    }
  }
}

/** One of the project's own test servers as a child. */
export function fixtureStdio(options: Partial<FixtureOptions>, mark = ''): ServerBlock {
  return { command: process.execPath, args: [STDIO_UPSTREAM, ...formatOptions(options)], env: { [MARK]: mark } };
}

/** One of the project's own test servers over HTTP, in a process of its own. */
export async function startFixtureHttp(options: Partial<FixtureOptions>): Promise<{ block: ServerBlock; process: OwnedProcess }> {
  const server = new OwnedProcess(process.execPath, [HTTP_UPSTREAM, ...formatOptions(options)], { stdin: true });
  const [url] = await server.printed('stdout', /^http\S+/m);
  return { block: { url }, process: server };
}
