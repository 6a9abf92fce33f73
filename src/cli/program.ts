import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/index.ts';
import { Cli, withHelp } from './cli.ts';
import type { CliContext } from './context.ts';
import { asCliError, CliError, EXIT } from './failure.ts';
import { note, sayJson } from './output.ts';
import { addConfigCheck } from './verbs/config-check.ts';
import { addConfigReference } from './verbs/config-reference.ts';
import { addConfigShow } from './verbs/config-show.ts';
import { addDoctor } from './verbs/doctor.ts';
import { addKeysCreate } from './verbs/keys-create.ts';
import { addKeysList } from './verbs/keys-list.ts';
import { addKeysRevoke } from './verbs/keys-revoke.ts';
import { addKeysRotate } from './verbs/keys-rotate.ts';
import { addServersList } from './verbs/servers-list.ts';
import { addServersAccept } from './verbs/servers-accept.ts';
import { addServersRestart } from './verbs/servers-restart.ts';
import { addServersShow } from './verbs/servers-show.ts';
import { addServersTest } from './verbs/servers-test.ts';
import { addStart } from './verbs/start.ts';
import { addStdio } from './verbs/stdio.ts';
import { addToolsCall } from './verbs/tools-call.ts';
import { addToolsList } from './verbs/tools-list.ts';

type Add = (parent: Command, cli: Cli) => void;

interface Group {
  readonly name: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly verbs: readonly Add[];
}

const GROUPS: readonly Group[] = [
  {
    name: 'servers',
    description: 'the MCP servers behind this gateway',
    examples: ['servers list', 'servers test files'],
    verbs: [addServersList, addServersShow, addServersRestart, addServersTest, addServersAccept],
  },
  {
    name: 'tools',
    description: 'the tools that clients see',
    examples: ['tools list', 'tools call get_market_status'],
    verbs: [addToolsList, addToolsCall],
  },
  {
    name: 'keys',
    description: 'API keys: make, list, rotate, revoke',
    examples: ['keys list', 'keys create research-bot'],
    verbs: [addKeysCreate, addKeysList, addKeysRotate, addKeysRevoke],
  },
  {
    name: 'config',
    description: 'the configuration: check, show, reference',
    examples: ['config check', 'config show'],
    verbs: [addConfigCheck, addConfigShow, addConfigReference],
  },
];

const ABOUT = `
In a checkout \`stockpulse\` is \`node bin/stockpulse.js\`. Settings come from stockpulse.yaml and the environment;
\`stockpulse config reference\` lists them. Verbs talk to the running gateway through a socket in its data folder.`;

function buildProgram(cli: Cli): Command {
  const { context } = cli;
  const program = new Command('stockpulse')
    .description('StockPulse MCP: market data and trading tools for AI agents, and a gateway to any MCP server')
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) })
    .showHelpAfterError('(add --help for usage and examples)')
    .option('-V, --version', 'print the version');
  withHelp(program, ['start', 'doctor', 'tools call get_stock_price --arg symbols=AAPL']);
  program.addHelpText('after', ABOUT);
  addStart(program, cli);
  addStdio(program, cli);
  for (const { name, description, examples, verbs } of GROUPS) {
    const group = withHelp(program.command(name).description(description), examples);
    for (const add of verbs) add(group, cli);
  }
  addDoctor(program, cli);
  return program;
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? undefined : end).includes('--json');
}

/** Runs `stockpulse <argv>`; the exit code. Never throws: what went wrong is on stderr, and on stdout as JSON with `--json`. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const cli = new Cli(context);
  try {
    if (argv[0] === '--version' || argv[0] === '-V') {
      context.stdout.write(`${(await context.loadApp()).VERSION}\n`);
      return EXIT.ok;
    }
    await buildProgram(cli).parseAsync([...argv], { from: 'user' });
    return cli.exitCode;
  } catch (thrown) {
    // Commander has already said what it had to say.
    const fromCommander = thrown instanceof CommanderError;
    if (fromCommander && thrown.exitCode === 0) return EXIT.ok;
    const error = fromCommander ? new CliError('invalid_request', thrown.message.replace(/^error: /, ''), EXIT.usage) : asCliError(thrown);
    if (!fromCommander) note(context, `stockpulse: ${error.message}`);
    const problems = thrown instanceof ConfigError ? { problems: thrown.problems } : {};
    if (wantsJson(argv)) sayJson(context, { error: { code: error.code, message: error.message, ...problems } });
    return error.exit;
  }
}
