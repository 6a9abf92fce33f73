import type { Command } from 'commander';
import { adminRoutes, type CallToolAnswer } from '../../contract/index.ts';
import { callArguments } from '../arguments.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import type { ManagementClient } from '../management.ts';
import { note, printable, say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

interface CallOptions extends JsonOption {
  readonly endpoint: string;
  readonly arg: readonly string[];
  readonly args?: string;
}

interface Block {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly mimeType?: unknown;
  readonly uri?: unknown;
}

/** What a content block looks like on a terminal. */
function blockText(block: Block): string {
  if (block.type === 'text' && typeof block.text === 'string') return printable(block.text);
  const what = [block.type, block.mimeType, block.uri].filter((part) => typeof part === 'string').join(' ');
  return `[${printable(what)}]`;
}

function resultText(result: Record<string, unknown>): string {
  const { content, structuredContent } = result;
  const blocks = Array.isArray(content) ? (content as Block[]) : [];
  if (blocks.length > 0) return blocks.map(blockText).join('\n');
  return JSON.stringify(structuredContent ?? result, null, 2);
}

function show(context: CliContext, answer: CallToolAnswer): number {
  if (answer.outcome === 'error') {
    note(context, `error ${answer.error.code}: ${printable(answer.error.message)}`);
    return EXIT.failed;
  }
  say(context, resultText(answer.result));
  if (answer.outcome === 'complete') return answer.result['isError'] === true ? EXIT.failed : EXIT.ok;
  note(context, 'The tool asks for more input, which this command cannot give: call it from an MCP host.');
  return EXIT.failed;
}

const exitOf = (answer: CallToolAnswer): number =>
  answer.outcome === 'complete' && answer.result['isError'] !== true ? EXIT.ok : EXIT.failed;

/** The tool's inputSchema, for typing `--arg`; an unknown tool is refused by the gateway, in its own words. */
async function inputSchema(client: ManagementClient, endpoint: string, name: string): Promise<Record<string, unknown>> {
  const { tools } = await client.ask(adminRoutes.listTools, { query: { endpoint } });
  return tools.find((tool) => tool.name === name)?.inputSchema ?? {};
}

async function call(context: CliContext, name: string, options: CallOptions): Promise<CallToolAnswer> {
  const { endpoint, arg, args } = options;
  return withManagement(context, async (client, config) => {
    const schema = arg.length === 0 ? {} : await inputSchema(client, endpoint, name);
    const body = { endpoint, name, arguments: callArguments(args, arg, schema) };
    return client.ask(adminRoutes.callTool, { body }, { deadlineMs: (config.limits.callSeconds + 10) * 1000 });
  });
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function addToolsCall(tools: Command, cli: Cli): void {
  const command = withJson(
    tools.command('call').description('call a tool, through the same checks as any client').argument('<name>', 'its name on the endpoint'),
  );
  command
    .option('--endpoint <path>', '/mcp (all servers) or /mcp/<server>', '/mcp')
    .option('--arg <key=value>', 'one argument, typed by the schema of the tool; a,b for a list; repeat for more', collect, [])
    .option('--args <json>', 'all arguments as one JSON object');
  withHelp(command, [
    'tools call get_stock_price --arg symbols=AAPL,MSFT',
    'tools call get_price_history --args \'{"symbols":["AAPL"],"timeframe":"1Day"}\'',
    'tools call read_file --endpoint /mcp/files --arg path=notes.txt --json',
  ]);
  command.action(
    cli.run(async (name: string, options: CallOptions) => {
      // Read before anything is started: a typo should not cost a connection.
      if (options.args !== undefined) callArguments(options.args, [], {});
      if (name === '') throw new CliError('invalid_request', 'The name of a tool must not be empty.', EXIT.usage);
      const answer = await call(cli.context, name, options);
      if (!options.json) return show(cli.context, answer);
      sayJson(cli.context, answer);
      return exitOf(answer);
    }),
  );
}
