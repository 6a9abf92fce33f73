/** The answers of the benchmark's MCP server: two tools, one of them with an outputSchema. */
const input = {
  type: 'object',
  properties: { symbol: { type: 'string' }, limit: { type: 'integer', minimum: 1 } },
  required: ['symbol'],
  additionalProperties: false,
};
const output = {
  type: 'object',
  properties: { symbol: { type: 'string' }, price: { type: 'number' }, currency: { type: 'string' }, as_of: { type: 'string' } },
  required: ['symbol', 'price'],
};
const TOOLS = [
  { name: 'quote', description: 'A quote.', inputSchema: input },
  { name: 'quote_typed', description: 'A quote, described.', inputSchema: input, outputSchema: output },
];
const FACTS = '"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1.0.0"}}';
const QUOTE = '{"symbol":"AAPL","price":187.25,"currency":"USD","as_of":"2026-11-02T14:30:00Z"}';
const RESULT = `{"resultType":"complete","content":[{"type":"text","text":${JSON.stringify(QUOTE)}}],"structuredContent":${QUOTE},${FACTS}}`;

interface Message {
  readonly id?: string | number;
  readonly method?: string;
}

const INITIALIZED = '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1.0.0"}}';

/** The response to a request, in the modern era. */
export const answer = (text: string): string => answerIn('modern')(text);

/** Responses to requests; empty for a notification. */
export function answerIn(era: 'modern' | 'legacy'): (text: string) => string {
  return (text) => respond(text, era);
}

function respond(text: string, era: 'modern' | 'legacy'): string {
  const { id, method } = JSON.parse(text) as Message;
  if (id === undefined) return '';
  const reply = (result: string): string => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  if (method === 'tools/call') return reply(RESULT);
  if (method === 'tools/list')
    return reply(`{"resultType":"complete","tools":${JSON.stringify(TOOLS)},"ttlMs":60000,"cacheScope":"public",${FACTS}}`);
  if (method === 'initialize' && era === 'legacy') return reply(INITIALIZED);
  if (method === 'server/discover' && era === 'modern') {
    return reply(
      `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":60000,"cacheScope":"public",${FACTS}}`,
    );
  }
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"Method not found"}}`;
}
