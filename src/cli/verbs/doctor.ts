import type { Command } from 'commander';
import { ConfigError, type LoadedConfig } from '../../config/index.ts';
import { adminRoutes, type DoctorCheck } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { asCliError, EXIT } from '../failure.ts';
import { printable, say, sayJson } from '../output.ts';
import { otherFile, runningStatus } from '../running.ts';
import { withManagement } from '../session.ts';
import { readSettings } from '../settings.ts';

const DEADLINE_MS = 120_000;
const MARKS = { ok: 'ok  ', warning: 'WARN', failed: 'FAIL' } as const;

function configChecks(loaded: LoadedConfig): DoctorCheck[] {
  const { source, warnings } = loaded;
  const message = source === undefined ? 'no file: defaults and environment' : source;
  const findings = warnings.map((warning): DoctorCheck => ({ name: 'config', status: 'warning', message: warning }));
  return [{ name: 'config', status: 'ok', message }, ...findings];
}

async function gatewayCheck(context: CliContext, dataDir: string): Promise<DoctorCheck> {
  const owner = (await context.loadApp()).findOwner(dataDir);
  if (owner !== undefined) return { name: 'gateway', status: 'ok', message: `runs, pid ${owner.pid}, ${owner.url ?? 'starting'}` };
  const advice = 'Start it (`stockpulse start`) and run doctor again to check the servers too.';
  return { name: 'gateway', status: 'warning', message: `does not run on ${dataDir}; checked without it`, advice };
}

/** A gateway that was started with another file than the one that was just checked. */
async function fileChecks(context: CliContext, loaded: LoadedConfig): Promise<DoctorCheck[]> {
  const status = await runningStatus(context, loaded.config.dataDir);
  const message = status && otherFile(loaded, status);
  if (message === undefined) return [];
  const advice = 'Run the command in the folder in which it was started, or set STOCKPULSE_CONFIG for both.';
  return [{ name: 'config', status: 'warning', message, advice }];
}

/** Everything that can be checked, in the order in which it fails. A step that fails ends the list: the rest would only repeat it. */
async function checks(context: CliContext): Promise<DoctorCheck[]> {
  const found: DoctorCheck[] = [{ name: 'node', status: 'ok', message: `${context.nodeVersion} (${context.node})` }];
  try {
    const loaded = readSettings(context);
    found.push(...configChecks(loaded), await gatewayCheck(context, loaded.config.dataDir), ...(await fileChecks(context, loaded)));
    const reply = await withManagement(context, (client) => client.ask(adminRoutes.runDoctor, {}, { deadlineMs: DEADLINE_MS }));
    found.push(...reply.checks.filter((check) => check.name !== 'node'));
  } catch (error) {
    const { message } = asCliError(error);
    found.push({ name: error instanceof ConfigError ? 'config' : 'gateway', status: 'failed', message });
  }
  return found;
}

function line(check: DoctorCheck, width: number): string {
  const head = `${MARKS[check.status]}  ${check.name.padEnd(width)}  `;
  const advice = check.advice === undefined ? [] : [`-> ${check.advice}`];
  return [check.message, ...advice].map((text, index) => (index === 0 ? head : ' '.repeat(head.length)) + printable(text)).join('\n');
}

export function addDoctor(program: Command, cli: Cli): void {
  const command = withJson(
    program.command('doctor').description('check Node, configuration, storage and every server, and say what to do'),
  );
  withHelp(command, ['doctor', 'doctor --json']);
  command.action(
    cli.run(async (options: JsonOption) => {
      const found = await checks(cli.context);
      const ok = found.every((check) => check.status !== 'failed');
      const width = Math.max(...found.map((check) => check.name.length));
      if (options.json) sayJson(cli.context, { ok, checks: found });
      else say(cli.context, found.map((check) => line(check, width)).join('\n'));
      return ok ? EXIT.ok : EXIT.failed;
    }),
  );
}
