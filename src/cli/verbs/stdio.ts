import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import type { LoadedConfig } from '../../config/index.ts';
import type { AppPort, Gateway } from '../app-port.ts';
import { withHelp, type Cli } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { CliError, codeOf, EXIT } from '../failure.ts';
import { saveFirstKeys } from '../first-keys.ts';
import { HostLink } from '../host-link.ts';
import { note } from '../output.ts';
import { reachableOwner, type ReachableOwner } from '../owner.ts';
import { relay } from '../relay.ts';
import { readSettingsAloud } from '../settings.ts';
import { Shutdown } from '../shutdown.ts';

interface StdioOptions {
  readonly server?: string;
}

/** What one gateway after the other may do before we give up. */
const MAX_RACES = 5;
const MAX_SHORT_LIVES = 5;
const SHORT_LIFE_MS = 10_000;
/** A gateway that closes takes up to 15 s, in which it is there and takes nobody. */
const LOOK_MS = 20_000;
const LOOK_EVERY_MS = 200;
/** Failures that pass while one gateway goes and another one comes. */
const PASSING: ReadonlySet<string | undefined> = new Set([
  'already_running',
  'unreachable',
  'refused_for_now',
  'still_starting',
  'socket_in_use',
  'storage_busy',
]);

/** Says after each failure how long to wait before the next try; throws when it was the last. */
class Tries {
  #races = 0;
  #shortLives = 0;
  #lost: Error | undefined;
  #until = 0;

  /** Milliseconds. `livedMs` is how long the try took. */
  after(error: unknown, livedMs: number): number {
    if (!(error instanceof Error)) throw new TypeError(String(error));
    const code = codeOf(error);
    if (code === 'gateway_gone') {
      this.#shortLives = livedMs < SHORT_LIFE_MS ? this.#shortLives + 1 : 1;
      if (this.#shortLives > MAX_SHORT_LIVES) throw error;
      this.#lost = error;
      this.#until = performance.now() + LOOK_MS;
      return this.#shortLives * 100;
    }
    if (this.#lost !== undefined && PASSING.has(code)) {
      if (performance.now() > this.#until) throw this.#lost;
      return LOOK_EVERY_MS;
    }
    // Two hosts may start at once: whoever loses the race relays to the winner.
    if (code !== 'already_running' || ++this.#races === MAX_RACES) throw error;
    return this.#races * 100;
  }
}

const SERVER = /^[a-z0-9-]{1,64}$/;

async function agentKey(dataDir: string): Promise<string> {
  const file = join(dataDir, 'agent.key');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    const message =
      `The agent key cannot be read from ${file}. The first start on a new database writes it; on one that has keys already, make one with ` +
      '"stockpulse keys create NAME" and write its secret into that file (mode 0600).';
    throw new CliError('agent_key_missing', message, EXIT.unreachable);
  }
}

/** What all the gateways share that serve one host. */
interface Run {
  readonly context: CliContext;
  readonly app: AppPort;
  readonly loaded: LoadedConfig;
  readonly options: StdioOptions;
  readonly shutdown: Shutdown;
  readonly link: HostLink;
  /** Aborts when the host is gone, or the end was asked for. */
  readonly over: AbortSignal;
}

async function relayTo({ loaded, options, link, over }: Run, { socketPath }: ReachableOwner): Promise<void> {
  const { config } = loaded;
  const path = options.server === undefined ? '/mcp' : `/mcp/${options.server}`;
  const key = await agentKey(config.dataDir);
  const drainMs = (config.limits.callSeconds + 5) * 1000;
  await relay({ socketPath, path, key, attach: () => link.attach(), drainMs, signal: over });
}

/** Starts a gateway of our own: on the configured port, else on a free one, since nobody asked for a certain port here. */
async function becomeOwner(app: AppPort, { config, origin }: LoadedConfig): Promise<Gateway> {
  try {
    return await app.startGateway(config, { log: 'stderr', origin });
  } catch (error) {
    if (codeOf(error) !== 'port_in_use') throw error;
    return app.startGateway({ ...config, server: { ...config.server, port: 0 } }, { log: 'stderr', origin });
  }
}

async function serve({ context, loaded, options, shutdown, link }: Run, gateway: Gateway): Promise<void> {
  const { dataDir } = loaded.config;
  if (gateway.firstKeys !== undefined) note(context, `The keys of this first start are in ${saveFirstKeys(dataDir, gateway.firstKeys)}.`);
  note(context, `Nobody ran on ${dataDir}: this process serves it at ${gateway.url} until its input ends.`);
  const { server } = options;
  try {
    // Our own end is the host's: nobody takes over from us, so nothing needs to be looked into.
    const { input, output } = link.began ? link.attach() : { input: context.stdin, output: context.stdout };
    const served = gateway.serveStdio(input, output, server === undefined ? {} : { server });
    await Promise.race([served, shutdown.requested]);
  } finally {
    // From here on closing has a deadline, whoever asked for it.
    shutdown.request(EXIT.ok);
    await gateway.close();
  }
}

/** Through the running gateway, or as the gateway if none runs. */
async function speakOnce(run: Run): Promise<void> {
  const { app, loaded, over } = run;
  const owner = await reachableOwner(app, loaded.config.dataDir, over);
  if (owner === undefined) await serve(run, await becomeOwner(app, loaded));
  else await relayTo(run, owner);
}

/** Speaks through one gateway after the other: hosts share one, which ends with the host that started it. */
async function speak(run: Run): Promise<void> {
  const tries = new Tries();
  while (!run.over.aborted) {
    const began = performance.now();
    try {
      return await speakOnce(run);
    } catch (error) {
      if (run.over.aborted) return;
      if (codeOf(error) === 'gateway_gone') run.link.lose();
      const waitMs = tries.after(error, performance.now() - began);
      if (codeOf(error) === 'gateway_gone') note(run.context, 'The gateway went away: looking for another one, or taking its place.');
      await wait(waitMs, undefined, { signal: run.over }).catch(() => undefined);
    }
  }
}

/** Speaks MCP on stdin and stdout: through the running gateway, or as the gateway if none runs. */
export async function stdio(context: CliContext, options: StdioOptions): Promise<number> {
  if (options.server !== undefined && !SERVER.test(options.server))
    throw new CliError('invalid_request', 'A server name is made of a-z, 0-9 and -.', EXIT.usage);
  const loaded = readSettingsAloud(context);
  const shutdown = new Shutdown({ signals: context.signals, exit: context.exit, note: (text) => note(context, text) });
  const { stdin, stdout } = context;
  const link = new HostLink({ stdin, stdout, maxLineBytes: loaded.config.limits.bodyBytes });
  const over = AbortSignal.any([shutdown.signal, link.gone]);
  try {
    await speak({ context, app: await context.loadApp(), loaded, options, shutdown, link, over });
    return shutdown.failed ? EXIT.failed : EXIT.ok;
  } finally {
    link.dispose();
    shutdown.dispose();
  }
}

export function addStdio(program: Command, cli: Cli): void {
  const command = program
    .command('stdio')
    .description('speak MCP on stdin and stdout, for desktop hosts; through the running gateway, or as the gateway if none runs')
    .option('--server <name>', 'offer this server alone, names untouched (default: all servers)');
  withHelp(command, ['stdio', 'stdio --server stockpulse']);
  command.action(cli.run((options: StdioOptions) => stdio(cli.context, options)));
}
