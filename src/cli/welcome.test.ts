import { expect, it } from 'vitest';
import { laterText, stdioBlock, welcomeText, type Welcome } from './welcome.ts';

const base: Welcome = {
  version: '1.2.3',
  url: 'http://127.0.0.1:8080',
  keys: { agent: 'AGENT', approver: 'APPROVER' },
  keysFile: undefined,
  ownAgentKey: false,
  agentKeyFile: '/data dir/agent.key',
  dataDir: '/data dir',
  configFile: undefined,
  node: '/usr/bin/node',
  script: '/home/me/project/bin/stockpulse.js',
  cwd: '/home/me/project',
};

const ON_A_TERMINAL = `StockPulse MCP 1.2.3
The market is simulated and the money is paper: no order reaches a real exchange.

Agent key, for agents and their hosts (not shown again):
  AGENT
Approver key, yours, never an agent's (not shown again):
  APPROVER

Add it to Claude Code:
  claude mcp add --transport http stockpulse http://127.0.0.1:8080/mcp/stockpulse --header "Authorization: Bearer AGENT"

For hosts that know no URLs, in their JSON settings:
  {
    "mcpServers": {
      "stockpulse": {
        "command": "/usr/bin/node",
        "args": [
          "/home/me/project/bin/stockpulse.js",
          "stdio",
          "--server",
          "stockpulse"
        ],
        "env": {
          "STOCKPULSE_DATA_DIR": "/data dir"
        }
      }
    }
  }

Ask your agent:
  - What does AAPL trade at now, and how did it do over the last three months?
  - Which technology stocks have an RSI below 35, and how large are they?
  - Is the market open, and when are its next five sessions?

If something does not work: node bin/stockpulse.js doctor

StockPulse MCP ready at http://127.0.0.1:8080`;

it('is this on a terminal', () => {
  expect(welcomeText(base)).toBe(ON_A_TERMINAL);
});

it('holds no key off a terminal, but the file that has them', () => {
  const text = welcomeText({ ...base, keysFile: '/data dir/first-keys.txt' });
  expect(text).not.toContain('AGENT');
  expect(text).not.toContain('APPROVER');
  expect(text).toContain("never an agent's), are in this file, for you alone:\n  /data dir/first-keys.txt\n");
  expect(text).toContain(`--header "Authorization: Bearer $(cat '/data dir/agent.key')"`);
});

it("does not repeat the operator's own key", () => {
  const text = welcomeText({ ...base, ownAgentKey: true });
  expect(text).not.toContain('AGENT\n');
  expect(text).not.toContain('Bearer AGENT');
  expect(text).toContain('the one you gave in STOCKPULSE_BOOTSTRAP_API_KEY');
  expect(text).toContain('  APPROVER\n');
});

it('names doctor so that it works from where the user is', () => {
  expect(welcomeText({ ...base, cwd: '/tmp' })).toContain('node /home/me/project/bin/stockpulse.js doctor');
  expect(welcomeText({ ...base, script: '/my project/bin/stockpulse.js' })).toContain("node '/my project/bin/stockpulse.js' doctor");
});

it('gives hosts the configuration file too', () => {
  expect(JSON.parse(stdioBlock({ ...base, configFile: '/etc/stockpulse.yaml' }))).toMatchObject({
    mcpServers: { stockpulse: { env: { STOCKPULSE_DATA_DIR: '/data dir', STOCKPULSE_CONFIG: '/etc/stockpulse.yaml' } } },
  });
});

it('is short later, without a key, and ends with the ready line', () => {
  expect(laterText('1.2.3', 'http://127.0.0.1:8080')).toBe(`StockPulse MCP 1.2.3
The market is simulated and the money is paper: no order reaches a real exchange.
StockPulse MCP ready at http://127.0.0.1:8080`);
});
