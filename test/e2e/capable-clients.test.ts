import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayHere } from '../support/gateway-here.ts';
import { errorOf, META_CAPABILITIES, META_INFO, META_VERSION, MODERN, textOf, toolNames } from '../support/mcp-wire.ts';
import type { OwnedProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { everythingStdio, startEverythingHttp } from '../support/upstreams.ts';
import type { Json, Reply } from '../support/wire.ts';

/** server-everything registers some tools only for clients that it may ask: such clients see and call them through the gateway too. */

const TOOLS = ['get-roots-list', 'trigger-elicitation-request', 'trigger-url-elicitation', 'trigger-sampling-request'] as const;
const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };

let here: GatewayHere;
let http: OwnedProcess;

beforeAll(async () => {
  const started = await startEverythingHttp();
  http = started.process;
  here = await GatewayHere.start({ http: started.block, stdio: everythingStdio() });
});

afterAll(async () => {
  await here.close();
  await http.stop();
});

const special = (reply: Reply): string[] => toolNames(reply).filter((name) => TOOLS.some((one) => name.endsWith(one)));
const meta = (capabilities: object): Readonly<Record<string, unknown>> => ({
  _meta: { [META_VERSION]: MODERN, [META_CAPABILITIES]: capabilities, [META_INFO]: { name: 'capable', version: '1' } },
});

describe.each(['http', 'stdio'])('server-everything over %s', (server) => {
  it('shows a legacy client what its capabilities are for', async () => {
    const list = async (capabilities: object): Promise<string[]> => {
      const session = await here.wire(server).open('2025-11-25', capabilities);
      const names = special(await session.request('tools/list'));
      await session.end();
      return names;
    };
    // The first such client may come before it is known what there is; it is told of it.
    await until('the tools of capable clients', async () => (await list(ALL)).length > 0);
    expect(await list(ALL)).toEqual(TOOLS);
    expect(await list({})).toEqual([]);
    expect(await list({ elicitation: {} })).toEqual(['trigger-elicitation-request']);
    expect(await list({ elicitation: { form: {}, url: {} } })).toEqual(['trigger-elicitation-request', 'trigger-url-elicitation']);
    expect(await list({ sampling: {} })).toEqual(['trigger-sampling-request']);
    expect(await list({ roots: {} })).toEqual(['get-roots-list']);
  });

  it('shows a modern client the same, has it asked, and refuses what it did not declare', async () => {
    const wire = here.wire(server);
    expect(special(await wire.modern('tools/list', meta(ALL)))).toEqual(TOOLS);
    expect(special(await wire.modern('tools/list', meta({})))).toEqual([]);
    const params = { name: 'trigger-elicitation-request', arguments: {} };
    const refused = await wire.modern('tools/call', params);
    expect([refused.status, errorOf(refused)?.code]).toEqual([400, -32021]);
    const asking = await wire.modern('tools/call', { ...params, ...meta({ elicitation: {} }) });
    const { inputRequests = {}, requestState } = (asking.json?.result ?? {}) as {
      inputRequests?: Record<string, Json>;
      requestState?: Json;
    };
    const answer = { action: 'accept', content: { name: 'Ann', check: true } };
    const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, answer]));
    const done = await wire.modern('tools/call', { ...params, ...meta({ elicitation: {} }), requestState, inputResponses });
    expect(textOf(done)).toContain('User provided the requested information');
  });
});

describe('all servers', () => {
  it('show them under their names', async () => {
    const listed = special(await here.wire().modern('tools/list', meta(ALL)));
    expect(listed.toSorted()).toEqual(['http', 'stdio'].flatMap((server) => TOOLS.map((name) => `${server}__${name}`)).toSorted());
  });
});
