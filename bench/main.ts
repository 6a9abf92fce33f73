/**
 * `npm run bench`: our gateway against a bare Node proxy in front of the same upstream, in one run and as a ratio. Rounds alternate, so
 * that a machine that slows down slows both. Prints a table and writes bench/results/latest.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { judge, load, modernCall, type Sample } from './load.ts';
import { peerRows, type PeerRow } from './peer-rows.ts';
import { startGateway, startPeer, stdioServer, type Running } from './processes.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 5);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const connections = Number(process.env.BENCH_CONNECTIONS ?? 32);

interface Row {
  readonly name: string;
  readonly bare: number;
  readonly gateway: number;
  /** Median of the rounds' ratios. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  readonly p50Ms: { readonly bare: number; readonly gateway: number };
  readonly p99Ms: { readonly bare: number; readonly gateway: number };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

async function measure(name: string, tool: string, bare: Running, gateway: Running): Promise<Row> {
  const at = (running: Running, path: string, time: number): Promise<Sample> =>
    load({ port: running.port, path, request: modernCall(tool), seconds: time, connections });
  await at(bare, '/mcp', 2);
  await at(gateway, '/mcp/bench', 3);
  const samples: { bare: Sample; gateway: Sample }[] = [];
  for (let round = 0; round < rounds; round++)
    samples.push({ bare: await at(bare, '/mcp', seconds), gateway: await at(gateway, '/mcp/bench', seconds) });
  const of = (pick: (pair: { bare: Sample; gateway: Sample }) => number): number => median(samples.map(pick));
  const ratios = samples.map((pair) => pair.gateway.perSecond / pair.bare.perSecond);
  return {
    name,
    bare: of((pair) => pair.bare.perSecond),
    gateway: of((pair) => pair.gateway.perSecond),
    ratio: median(ratios),
    ratios,
    p50Ms: { bare: of((pair) => pair.bare.p50Ms), gateway: of((pair) => pair.gateway.p50Ms) },
    p99Ms: { bare: of((pair) => pair.bare.p99Ms), gateway: of((pair) => pair.gateway.p99Ms) },
  };
}

async function httpRows(): Promise<Row[]> {
  const upstream = await startPeer('upstream-http');
  const bare = await startPeer('bare-http', String(upstream.port));
  const gateway = await startGateway({ url: `http://127.0.0.1:${upstream.port}/mcp` });
  try {
    return [
      await measure('modern HTTP -> modern HTTP', 'quote', bare, gateway),
      await measure('the same, with outputSchema', 'quote_typed', bare, gateway),
    ];
  } finally {
    await Promise.all([gateway.stop(), bare.stop(), upstream.stop()]);
  }
}

async function stdioRows(): Promise<Row[]> {
  const bare = await startPeer('bare-stdio');
  const gateway = await startGateway(stdioServer);
  try {
    return [
      await measure('modern HTTP -> stdio', 'quote', bare, gateway),
      await measure('the same, with outputSchema', 'quote_typed', bare, gateway),
    ];
  } finally {
    await Promise.all([gateway.stop(), bare.stop()]);
  }
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function print(rows: readonly Row[]): void {
  const cell = (value: number): string => Math.round(value).toLocaleString('en-US').padStart(10);
  console.log(
    `\n${judge}${judge === 'wrk' ? '' : ' (indicative: install wrk for numbers to rely on)'}, ${connections} connections, ${rounds} rounds of ${seconds} s`,
  );
  console.log(
    `${'case'.padEnd(32)}${'bare/s'.padStart(10)}${'gateway/s'.padStart(11)}${'ratio'.padStart(8)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}`,
  );
  for (const row of rows) {
    const tail = `${row.ratio.toFixed(2).padStart(8)}${row.p50Ms.gateway.toFixed(2).padStart(9)}${row.p99Ms.gateway.toFixed(2).padStart(9)}`;
    console.log(`${row.name.padEnd(32)}${cell(row.bare)}${cell(row.gateway).padStart(11)}${tail}`);
  }
}

function printPeers(rows: readonly PeerRow[]): void {
  console.log(`\nlegacy HTTP -> one stdio child\n${'gateway'.padEnd(32)}${'calls/s'.padStart(10)}${'ours is'.padStart(11)}`);
  for (const { name, perSecond, ours } of rows)
    console.log(`${name.padEnd(32)}${Math.round(perSecond).toLocaleString('en-US').padStart(10)}${`${ours.toFixed(1)} x`.padStart(11)}`);
}

const rows = [...(await httpRows()), ...(await stdioRows())];
print(rows);
const peers = await peerRows({ seconds, rounds, connections });
printPeers(peers);
const report = {
  commit: commit(),
  at: new Date().toISOString(),
  node: process.version,
  cores: cpus().length,
  judge,
  seconds,
  rounds,
  connections,
  rows,
  peers,
};
mkdirSync(new URL('results/', import.meta.url), { recursive: true });
writeFileSync(new URL('results/latest.json', import.meta.url), `${JSON.stringify(report, null, 2)}\n`);
