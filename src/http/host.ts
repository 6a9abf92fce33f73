import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { AppError } from '../shared/index.ts';
import { Connections } from './connections.ts';
import { Entrance } from './entrance.ts';
import { gateEvents } from './event-gate.ts';
import { FastLane, type PostHandler } from './fast-lane.ts';
import { Guards } from './guards.ts';
import { listenError } from './listen-errors.ts';
import { createListener, nodeServer } from './listeners.ts';
import { prepareSocket, type SocketPlace } from './local-socket.ts';
import { operations } from './operations.ts';
import { defaultHttpLimits, type Guard, type HttpHostOptions, type HttpLimits, type LastCall } from './options.ts';
import { Refuser } from './refusal.ts';
import { ANONYMOUS, redactSecrets } from '../security/index.ts';
import { localJudge, Upgrades, type UpgradeHandler } from './upgrades.ts';

/** Where the host listens. `url` is reachable from this machine. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /** The socket of the local operator; it may differ from the one asked for, if that was too long. */
  readonly socketPath: string | undefined;
}

/** The HTTP listeners: the public one, and the 0600 socket of the local operator. */
export interface HttpHost {
  readonly public: FastifyInstance;
  readonly local: FastifyInstance;
  /** Adds routes behind a guard. `admin` routes are on the local socket too; `mcp` routes get their bodies unread, in `request.raw`. */
  surface(guard: Guard, plugin: FastifyPluginAsync, prefix?: string): void;
  /** Handles `Upgrade: <protocol>` on the local socket, behind the mcp guard. */
  onLocalUpgrade(protocol: string, handler: UpgradeHandler): void;
  /** Handles `Upgrade: websocket` on the public listener: behind Host, Origin, the mcp guard and the rate limits, as requests are. */
  onWebSocket(handler: UpgradeHandler): void;
  /** Handles POSTs to MCP paths behind the mcp guard without Fastify; what it does not take goes the usual way. */
  onPost(handler: PostHandler): void;
  /** Throws `port_in_use`, `port_forbidden`, `host_unusable`, `listen_failed`, `socket_path_taken`, `socket_in_use`; then nothing listens. */
  listen(): Promise<Listening>;
  /** Listens on the local socket only; resolves with its path. Throws `socket_path_taken`, `socket_in_use`. */
  listenLocal(): Promise<string | undefined>;
  /** Stops accepting, lets open requests end within `graceMs`, makes the last call, then ends every connection. Idempotent. */
  close(graceMs: number, last?: LastCall): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const WILDCARD: Readonly<Record<string, string>> = { '0.0.0.0': LOOPBACK, '::': LOOPBACK };

/** `localhost` can be two addresses; one listener has one. */
const bindAddress = (host: string): string => (host === 'localhost' ? LOOPBACK : host);

class FastifyHost implements HttpHost {
  readonly public: FastifyInstance;
  readonly local: FastifyInstance;
  readonly #options: HttpHostOptions;
  readonly #guards: Guards;
  readonly #publicConnections: Connections;
  readonly #localConnections: Connections;
  readonly #localUpgrades: Upgrades;
  readonly #publicUpgrades: Upgrades;
  readonly #lane: FastLane;
  #place: SocketPlace | undefined;
  readonly #ending = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(options: HttpHostOptions, limits: HttpLimits) {
    this.#options = options;
    const refuser = new Refuser(options.onEvent);
    this.#guards = new Guards(options, limits, refuser);
    this.public = createListener(options, limits, refuser, false);
    this.local = createListener(options, limits, refuser, true);
    for (const listener of [this.public, this.local]) countMore(listener, this.#guards);
    const { caps, onEvent, authenticator } = options;
    const gauges = { cap: limits.connections, caps, onEvent };
    this.#publicConnections = new Connections({ name: 'http.connections', server: nodeServer(this.public), ...gauges });
    this.#localConnections = new Connections({ name: 'http.local_connections', server: nodeServer(this.local), ...gauges });
    const closing = this.#ending.signal;
    this.#localUpgrades = new Upgrades({
      server: nodeServer(this.local),
      judge: localJudge(authenticator),
      connections: this.#localConnections,
      cap: limits.upgrades,
      closing,
    });
    const entrance = new Entrance(options, refuser);
    this.#publicUpgrades = this.#openUpgrades(entrance, limits.publicUpgrades);
    this.#lane = new FastLane({ server: nodeServer(this.public), entrance, guards: this.#guards, bodyBytes: limits.bodyBytes, closing });
    this.public.addHook('onRequest', entrance.check);
    this.local.addHook('onRequest', this.#guards.local);
    operations(this.public, options, false);
    operations(this.local, options, true);
  }

  surface(guard: Guard, plugin: FastifyPluginAsync, prefix = ''): void {
    const hook = this.#guards.hook(guard);
    void this.public.register(
      async (scope) => {
        if (hook !== undefined) scope.addHook('onRequest', hook);
        if (guard === 'mcp') speakMcp(scope);
        await scope.register(plugin);
      },
      { prefix },
    );
    if (guard === 'admin') void this.local.register(plugin, { prefix });
  }

  onLocalUpgrade(protocol: string, handler: UpgradeHandler): void {
    this.#localUpgrades.on(protocol, handler);
  }

  onPost(handler: PostHandler): void {
    this.#lane.serve(handler);
  }

  onWebSocket(handler: UpgradeHandler): void {
    this.#publicUpgrades.on('websocket', handler);
  }

  async listen(): Promise<Listening> {
    try {
      await this.#listenPublic();
      await this.listenLocal();
    } catch (error) {
      await this.close(0);
      throw error;
    }
    const { port } = nodeServer(this.public).address() as AddressInfo;
    return { url: this.#url(port), port, socketPath: this.#place?.path };
  }

  async listenLocal(): Promise<string | undefined> {
    const { socketPath } = this.#options;
    if (socketPath === undefined) return undefined;
    this.#place = await prepareSocket(socketPath);
    await this.local.listen({ path: this.#place.bindPath });
    await this.#place.publish();
    return this.#place.path;
  }

  close(graceMs: number, last?: LastCall): Promise<void> {
    this.#closing ??= this.#close(graceMs, last);
    return this.#closing;
  }

  #openUpgrades(entrance: Entrance, cap: number): Upgrades {
    return new Upgrades({
      server: nodeServer(this.public),
      judge: (request) => {
        const refusal = entrance.judge(request);
        if (refusal !== undefined) return { ok: false, refusal };
        return this.#guards.admitUpgrade(entrance.addressOf(request), request.headers.authorization);
      },
      connections: this.#publicConnections,
      cap,
      closing: this.#ending.signal,
      onRefused: (request, { code }, status) => {
        const path = redactSecrets((request.url ?? '').split('?', 1)[0]?.slice(0, 200) ?? '');
        const address = entrance.addressOf(request);
        this.#options.onEvent?.({ kind: 'refused', code, status, address, method: 'GET', path, principal: ANONYMOUS.id });
      },
    });
  }

  async #listenPublic(): Promise<void> {
    const { host, port } = this.#options;
    await this.public.ready();
    try {
      await this.public.listen({ host: bindAddress(host), port });
    } catch (error) {
      throw await listenError(error, host, port);
    }
  }

  #url(port: number): string {
    const host = bindAddress(this.#options.host);
    const name = WILDCARD[host] ?? (host.includes(':') ? `[${host}]` : host);
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${name}:${port}`;
  }

  /** Closing starts with Fastify's own, so that `preClose` hooks end their streams while the grace period runs. */
  async #close(graceMs: number, last: LastCall | undefined): Promise<void> {
    this.#ending.abort(new AppError('shutting_down', 'The server is shutting down: try again soon.'));
    const forced = await Promise.all([
      this.#publicConnections.drain(this.public.close(), graceMs, last),
      this.#localConnections.drain(this.local.close(), graceMs, last),
    ]);
    const connections = forced.reduce((sum, count) => sum + count, 0);
    if (connections > 0) this.#options.onEvent?.({ kind: 'forced_close', connections });
    await this.#place?.remove();
  }
}

function countMore(listener: FastifyInstance, guards: Guards): void {
  listener.decorateRequest('admit', function admit(this: FastifyRequest): number {
    return guards.admit(this.principal);
  });
}

/** The MCP routes read `request.raw` themselves: nothing is parsed, whatever the Content-Type. Their refusals are JSON-RPC errors. */
function speakMcp(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, errorShape: 'jsonrpc' };
  });
}

/** Makes the host; nothing listens before `listen`. Throws `tls_unusable`, `config_invalid`. */
export function createHttpHost(given: HttpHostOptions): HttpHost {
  const options = { ...given, onEvent: gateEvents(given) };
  if (options.port < 0 || options.port > 65_535) throw new AppError('config_invalid', 'server.port must be from 0 to 65535.');
  return new FastifyHost(options, { ...defaultHttpLimits, ...options.limits });
}
