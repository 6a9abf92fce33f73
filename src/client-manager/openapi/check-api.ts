import { messageOf } from '../../shared/index.ts';
import { ConnectError } from '../connection.ts';
import type { CheckReport } from '../types.ts';
import { apiClient, type ApiClientOptions } from './fetch.ts';
import { fetchDocument, readConfigured } from './load.ts';
import type { ApiConfig, ApiReading } from './types.ts';

/** The report of a check, on a server that is an HTTP API. */
export type ApiCheckReport = Omit<CheckReport, 'transport'> & { readonly transport: 'openapi' };

/** Reads the document once, apart from the running server; the API itself is not called. Never throws. */
export async function checkApi(
  config: ApiConfig,
  guard: Omit<ApiClientOptions, 'connections'>,
  signal: AbortSignal,
): Promise<ApiCheckReport> {
  const client = apiClient({ ...guard, connections: 1 });
  const begun = performance.now();
  let fetched = begun;
  try {
    const text = await fetchDocument(config, { fetch: client.fetch, connectMs: guard.connectMs, signal });
    fetched = performance.now();
    return report(config.name, await readConfigured(text, config), [fetched - begun, performance.now() - fetched]);
  } catch (error) {
    const reason = error instanceof ConnectError ? error.reason : messageOf(error);
    return report(config.name, undefined, [performance.now() - begun, 0], reason);
  } finally {
    await client.close();
  }
}

function report(
  server: string,
  reading: ApiReading | undefined,
  [connectMs, listMs]: readonly [number, number],
  problem?: string,
): ApiCheckReport {
  const { facts, operations = [], warnings = [] } = reading ?? {};
  const unplaced =
    facts !== undefined && facts.baseUrl === undefined ? 'its configuration does not say where the API is: set "url"' : problem;
  return {
    server,
    transport: 'openapi',
    ok: unplaced === undefined,
    connectMs,
    listMs,
    eras: facts === undefined ? [] : ['modern', 'legacy'],
    via: facts === undefined ? undefined : 'openapi',
    revision: facts?.openapi,
    info: facts && { name: facts.title, title: facts.title, version: facts.version },
    capabilities: facts === undefined ? {} : { tools: {} },
    tools: operations.length,
    prompts: 0,
    resources: 0,
    templates: 0,
    warnings,
    problem: unplaced,
    stderr: [],
  };
}
