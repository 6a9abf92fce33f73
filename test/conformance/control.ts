import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { GatewayProcess } from '../support/gateway-process.ts';
import type { ConformanceTask } from '../support/judge-port.ts';
import { askLocal } from '../support/local-socket.ts';
import { CONFORMANCE_CLIENT, judgeFile } from '../support/paths.ts';
import { forward, startLocalServer, type LocalServer } from '../support/relay.ts';

/** One scenario of the client leg, with the name of its server in the gateway's configuration. */
export interface ClientCase {
  readonly set: string;
  readonly scenario: string;
  readonly scored: boolean;
  readonly server: string;
}

interface Route {
  readonly to: URL;
  readonly open: Set<ClientRequest>;
}

/** Stands between the gateway and the suite's servers, whose addresses are not known before the suite has started them. */
export class Switchboard {
  readonly #routes = new Map<string, Route>();
  #server: LocalServer | undefined;

  async start(): Promise<void> {
    this.#server = await startLocalServer((req, res) => this.#serve(req, res));
  }

  /** The address of a server for the gateway's configuration. */
  urlFor(server: string): string {
    return `${this.#server?.url}/${server}`;
  }

  connect(server: string, url: string): void {
    this.#routes.set(server, { to: new URL(url), open: new Set() });
  }

  /** Ends every connection to a server, which waits for that before it stops. */
  disconnect(server: string): void {
    const route = this.#routes.get(server);
    this.#routes.delete(server);
    for (const onward of route?.open ?? []) onward.destroy();
  }

  async close(): Promise<void> {
    for (const server of this.#routes.keys()) this.disconnect(server);
    await this.#server?.close();
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const route = this.#routes.get((req.url ?? '').slice(1));
    if (route === undefined) return void res.writeHead(503).end();
    const onward = forward(req, res, route.to);
    route.open.add(onward);
    onward.on('close', () => route.open.delete(onward));
  }
}

type Drive = (task: ConformanceTask) => Promise<void>;

/** The path is computed, so that the root package compiles without the judges. */
async function loadDrive(): Promise<Drive> {
  judgeFile('@modelcontextprotocol/client/package.json');
  const module = (await import(/* @vite-ignore */ pathToFileURL(CONFORMANCE_CLIENT).href)) as { driveConformance: Drive };
  return module.driveConformance;
}

/** What the driver sends. */
interface Order {
  readonly server: string;
  readonly context?: unknown;
}

/** Connects the gateway to the suite's server, and calls through it. */
async function carryOut(order: Order, { server, scenario, set }: ClientCase, gateway: GatewayProcess, board: Switchboard): Promise<void> {
  const drive = await loadDrive();
  board.connect(server, order.server);
  try {
    await askLocal(gateway.dataDir, 'POST', `/servers/${server}/restart`);
    await drive({ url: gateway.endpoint(`/mcp/${server}`), key: gateway.agentKey, scenario, set, context: order.context });
  } finally {
    board.disconnect(server);
  }
}

/** Takes the orders of the drivers that the suite starts, each at the path of its case's server. */
export function startControl(cases: readonly ClientCase[], gateway: GatewayProcess, board: Switchboard): Promise<LocalServer> {
  const take = async (req: IncomingMessage): Promise<void> => {
    const mine = cases.find(({ server }) => req.url === `/${server}`);
    if (mine === undefined) throw new Error(`There is no case ${req.url}.`);
    await carryOut(JSON.parse(await text(req)) as Order, mine, gateway, board);
  };
  return startLocalServer((req, res) => {
    take(req).then(
      () => res.writeHead(200).end(),
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  });
}
