import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { ConformanceTask } from '../support/judge-port.ts';

type Args = Record<string, unknown>;
type Plan = (client: Client, task: ConformanceTask) => Promise<void>;

/** Calls a tool and fails unless its result is one. */
async function call(client: Client, name: string, args: Args = {}): Promise<string> {
  const result = await client.callTool({ name, arguments: args });
  const text = JSON.stringify(result.content);
  if (result.isError === true) throw new Error(`${name} failed: ${text}`);
  return text;
}

async function list(client: Client): Promise<void> {
  await client.listTools();
}

/** Values for what a tool requires. */
function argumentsFor(schema: { required?: unknown; properties?: unknown }): Args {
  const names = Array.isArray(schema.required) ? (schema.required as string[]) : [];
  return Object.fromEntries(names.map((name) => [name, 'x']));
}

async function callAll(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  if (tools.length === 0) throw new Error('no tool is listed');
  for (const { name, inputSchema } of tools) await call(client, name, argumentsFor(inputSchema));
}

async function headers(client: Client): Promise<void> {
  await callAll(client);
  const { resources } = await client.listResources();
  for (const { uri } of resources) await client.readResource({ uri });
  const { prompts } = await client.listPrompts();
  for (const { name } of prompts) await client.getPrompt({ name });
  if (resources.length === 0 || prompts.length === 0) throw new Error('a list is empty');
}

async function customHeaders(client: Client, { context }: ConformanceTask): Promise<void> {
  await client.listTools();
  const { toolCalls } = context as { toolCalls: { name: string; arguments: Args }[] };
  for (const each of toolCalls) await call(client, each.name, each.arguments);
}

/** Tools whose annotations are wrong: the gateway must not call them, even if it is told to. */
const INVALID: readonly string[] = [
  'invalid_empty_header',
  'invalid_object_header',
  'invalid_array_header',
  'invalid_null_header',
  'invalid_duplicate_same_case',
  'invalid_duplicate_diff_case',
  'invalid_space_in_name',
  'invalid_colon_in_name',
  'invalid_non_ascii_name',
  'invalid_control_char_name',
];

async function invalidTools(client: Client): Promise<void> {
  await callAll(client);
  for (const name of INVALID) await client.callTool({ name, arguments: {} }).catch(() => undefined);
}

/** Something that the gateway forwards with what this client declared, although the server lists nothing. */
async function metadata(client: Client): Promise<void> {
  await client.listTools();
  await client.complete({ ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: 'b' } }).catch(() => undefined);
}

async function rounds(client: Client): Promise<void> {
  for (const name of ['test_mrtr_echo_state', 'test_mrtr_no_state', 'test_mrtr_unrelated', 'test_mrtr_no_result_type'])
    await call(client, name);
}

async function sum(client: Client): Promise<void> {
  await client.listTools();
  const text = await call(client, 'add_numbers', { a: 2, b: 3 });
  if (!text.includes('5')) throw new Error(`the sum of 2 and 3 is not ${text}`);
}

async function preservation(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  const focal = tools.find(({ name }) => name === 'json_schema_2020_12_tool');
  if (focal === undefined) throw new Error('the tool with the schema is not listed');
  await call(client, 'json_schema_echo', { schema: focal.inputSchema });
}

/** What each scenario wants its client to do. */
const PLANS: Readonly<Record<string, Plan>> = {
  initialize: list,
  tools_call: sum,
  'elicitation-sep1034-client-defaults': async (client) => void (await call(client, 'test_client_elicitation_defaults')),
  'sse-retry': async (client) => void (await call(client, 'test_reconnection')),
  'request-metadata': metadata,
  'sep-2322-client-request-state': rounds,
  'http-standard-headers': headers,
  'http-custom-headers': customHeaders,
  'http-invalid-tool-headers': invalidTools,
  'json-schema-ref-no-deref': list,
  'json-schema-2020-12-preservation': preservation,
};

/** Does through the gateway what a scenario of the suite's client leg asks of a client. Rejects if the gateway lets it down. */
export async function driveConformance(task: ConformanceTask): Promise<void> {
  const plan = PLANS[task.scenario];
  if (plan === undefined) throw new Error(`There is no plan for the scenario ${task.scenario}.`);
  const capabilities = { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} };
  const mode = task.set === '2026-07-28' ? { pin: '2026-07-28' } : ('legacy' as const);
  const client = new Client({ name: 'conformance-driver', version: '1.0.0' }, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler('elicitation/create', () => Promise.resolve({ action: 'accept' as const, content: {} }));
  client.setRequestHandler('roots/list', () => Promise.resolve({ roots: [] }));
  client.setRequestHandler('sampling/createMessage', () =>
    Promise.resolve({ model: 'none', role: 'assistant' as const, content: { type: 'text' as const, text: 'ok' } }),
  );
  const requestInit = { headers: { Authorization: `Bearer ${task.key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(task.url), { requestInit }));
  try {
    await plan(client, task);
  } finally {
    await client.close();
  }
}
