import { isAbsolute, relative } from 'node:path';
import { shellWord } from './output.ts';

export interface Welcome {
  readonly version: string;
  readonly url: string;
  readonly keys: { readonly agent: string; readonly approver: string };
  /** Off a terminal: the 0600 file that got the keys, which are then not printed. */
  readonly keysFile: string | undefined;
  /** True if the agent key is the operator's own, from STOCKPULSE_BOOTSTRAP_API_KEY: it is not printed. */
  readonly ownAgentKey: boolean;
  readonly agentKeyFile: string;
  readonly dataDir: string;
  readonly configFile: string | undefined;
  readonly node: string;
  readonly script: string;
  readonly cwd: string;
}

const SIMULATED = 'The market is simulated and the money is paper: no order reaches a real exchange.';

/** The `mcpServers` entry for hosts that start programs and know no URLs. All paths are absolute: their folder is not ours. */
export function stdioBlock(welcome: Pick<Welcome, 'node' | 'script' | 'dataDir' | 'configFile'>): string {
  const { node, script, dataDir, configFile } = welcome;
  const env = { STOCKPULSE_DATA_DIR: dataDir, ...(configFile !== undefined && { STOCKPULSE_CONFIG: configFile }) };
  const entry = { command: node, args: [script, 'stdio', '--server', 'stockpulse'], env };
  return JSON.stringify({ mcpServers: { stockpulse: entry } }, null, 2);
}

const indented = (text: string): string => text.replaceAll(/^/gm, '  ');

function keyLines(welcome: Welcome): string[] {
  const { keys, keysFile, ownAgentKey } = welcome;
  if (keysFile !== undefined)
    return ["The agent key, and the approver key (yours, never an agent's), are in this file, for you alone:", `  ${keysFile}`];
  return [
    'Agent key, for agents and their hosts (not shown again):',
    ownAgentKey ? '  the one you gave in STOCKPULSE_BOOTSTRAP_API_KEY' : `  ${keys.agent}`,
    "Approver key, yours, never an agent's (not shown again):",
    `  ${keys.approver}`,
  ];
}

function claudeLine(welcome: Welcome): string {
  const { url, keys, keysFile, ownAgentKey, agentKeyFile } = welcome;
  // Off a terminal the output may be kept: the shell reads the key from its file.
  const key = keysFile === undefined && !ownAgentKey ? keys.agent : `$(cat ${shellWord(agentKeyFile)})`;
  return `claude mcp add --transport http stockpulse ${url}/mcp/stockpulse --header "Authorization: Bearer ${key}"`;
}

function doctorLine({ cwd, script }: Welcome): string {
  const near = relative(cwd, script);
  return `node ${shellWord(near.startsWith('..') || isAbsolute(near) ? script : near)} doctor`;
}

/** The last line of every start; scripts wait for it. */
export const readyLine = (url: string): string => `StockPulse MCP ready at ${url}`;

/** What the first start prints. */
export function welcomeText(welcome: Welcome): string {
  return [
    `StockPulse MCP ${welcome.version}`,
    SIMULATED,
    '',
    ...keyLines(welcome),
    '',
    'Add it to Claude Code:',
    `  ${claudeLine(welcome)}`,
    '',
    'For hosts that know no URLs, in their JSON settings:',
    indented(stdioBlock(welcome)),
    '',
    'Ask your agent:',
    '  - What does AAPL trade at now, and how did it do over the last three months?',
    '  - Which technology stocks have an RSI below 35, and how large are they?',
    '  - Is the market open, and when are its next five sessions?',
    '',
    `If something does not work: ${doctorLine(welcome)}`,
    '',
    readyLine(welcome.url),
  ].join('\n');
}

/** What every later start prints: no key. */
export const laterText = (version: string, url: string): string => [`StockPulse MCP ${version}`, SIMULATED, readyLine(url)].join('\n');
