/** Puts load on a port for some seconds: wrk where it is installed, else autocannon, whose numbers are indicative only. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KEY } from './processes.ts';

export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What is sent again and again. */
export interface LoadRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Each request gets an id of its own in place of the 1: requests of one session need that. */
  readonly countIds?: boolean;
}

export interface LoadOptions {
  readonly port: number;
  readonly path: string;
  readonly request: LoadRequest;
  readonly seconds: number;
  readonly connections: number;
}

const run = promisify(execFile);

export const judge: 'wrk' | 'autocannon' = (() => {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' });
    return 'wrk';
  } catch (error) {
    // wrk -v exits 1 and prints its version.
    return (error as { code?: string }).code === 'ENOENT' ? 'autocannon' : 'wrk';
  }
})();

/** A call of the modern era. */
export const modernCall = (tool: string): LoadRequest => ({ body: callBody(tool), headers: callHeaders(tool) });

function callBody(tool: string): string {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: tool, arguments: { symbol: 'AAPL', limit: 5 }, _meta: meta },
  });
}

function callHeaders(tool: string): Record<string, string> {
  return {
    authorization: `Bearer ${KEY}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool,
  };
}

const COUNTING = `local n = 1
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, (string.gsub(wrk.body, '"id":1,', '"id":' .. n .. ',', 1)))
end
`;

const lua = ({ body, headers, countIds }: LoadRequest): string => `wrk.method = "POST"
wrk.body = ${JSON.stringify(body)}
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join('\n')}
${countIds === true ? COUNTING : ''}done = function(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad))
end
`;

async function wrk(options: LoadOptions): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'stockpulse-wrk-'));
  try {
    const script = join(folder, 'call.lua');
    writeFileSync(script, lua(options.request));
    const args = [
      '-t1',
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      '--latency',
      '-s',
      script,
      `http://127.0.0.1:${options.port}${options.path}`,
    ];
    const { stdout } = await run('wrk', args, { timeout: (options.seconds + 30) * 1000 });
    const match = /RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)/.exec(stdout);
    if (match === null) throw new Error(`wrk printed no result: ${stdout}`);
    const [requests, micros, p50, p99, bad] = match.slice(1).map(Number) as [number, number, number, number, number];
    if (bad > 0) throw new Error(`${bad} of ${requests} calls failed`);
    return { perSecond: requests / (micros / 1e6), p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function cannon(options: LoadOptions): Promise<Sample> {
  const { default: autocannon } = await import('autocannon');
  const result = await autocannon({
    url: `http://127.0.0.1:${options.port}${options.path}`,
    method: 'POST',
    headers: options.request.headers,
    body: options.request.body,
    connections: options.connections,
    duration: options.seconds,
  });
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx + result.errors} calls failed`);
  return { perSecond: result.requests.average, p50Ms: result.latency.p50, p99Ms: result.latency.p99 };
}

export const load = (options: LoadOptions): Promise<Sample> => (judge === 'wrk' ? wrk(options) : cannon(options));
