import { startConformanceFixture, type ConformanceFixture, type FixtureEra } from '../fixtures/conformance/index.ts';
import { LEGACY_SET, MODERN_SET, SERVER_CELLS } from './exceptions.ts';

/** One requirement set against one server. */
export interface Cell {
  readonly set: string;
  readonly cell: string;
  readonly era: FixtureEra;
  /** Its name in the gateway's configuration; undefined if the suite talks to the fixture itself. */
  readonly server: string | undefined;
}

const SHORT: Readonly<Record<string, string>> = { [MODERN_SET]: 'set26', [LEGACY_SET]: 'set25' };

/** Each cell has a server of its own, so that cells can run at the same time. */
export const CELLS: readonly Cell[] = [
  ...[MODERN_SET, LEGACY_SET].flatMap((set) =>
    SERVER_CELLS.map((era): Cell => ({ set, cell: era, era, server: `${SHORT[set]}-on-${era}` })),
  ),
  { set: MODERN_SET, cell: 'direct modern', era: 'modern', server: undefined },
  { set: MODERN_SET, cell: 'direct dual', era: 'dual', server: undefined },
  { set: LEGACY_SET, cell: 'direct legacy', era: 'legacy', server: undefined },
  { set: LEGACY_SET, cell: 'direct dual', era: 'dual', server: undefined },
];

/** What an operator says of a legacy server's tools, which cannot say it themselves. */
const LEGACY_TOOLS = {
  test_missing_capability: { requires: { sampling: {} } },
  slow_compute: { tasks: 'always' },
  failing_job: { tasks: 'required' },
  protocol_error_job: { tasks: 'always' },
  confirm_delete: { tasks: 'always' },
  multi_input: { tasks: 'always' },
  test_tool_with_task: { tasks: 'after_input' },
};

/** Calls that the suite leaves open keep their connections until they expire. */
const MAX_LEASES = 32;

/** The `mcpServers` of the cells, and the servers themselves. */
export async function startCellServers(): Promise<{ servers: Map<Cell, ConformanceFixture>; mcpServers: Record<string, object> }> {
  const started = await Promise.all(CELLS.map(async (cell) => [cell, await startConformanceFixture(cell.era)] as const));
  const mcpServers: Record<string, object> = {};
  for (const [{ server, era }, { url }] of started) {
    if (server === undefined) continue;
    mcpServers[server] = { url, ...(era === 'legacy' ? { maxLeases: MAX_LEASES, tools: LEGACY_TOOLS } : {}) };
  }
  return { servers: new Map(started), mcpServers };
}
