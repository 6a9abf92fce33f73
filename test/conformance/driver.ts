/** What the suite starts as "the client": tells the test (over HTTP) which server it is, and ends when that has driven the gateway. */
const { CONFORMANCE_CONTROL = '', MCP_CONFORMANCE_CONTEXT } = process.env;
const context = MCP_CONFORMANCE_CONTEXT === undefined ? undefined : (JSON.parse(MCP_CONFORMANCE_CONTEXT) as unknown);
const answer = await fetch(CONFORMANCE_CONTROL, { method: 'POST', body: JSON.stringify({ server: process.argv.at(-1), context }) });
const text = await answer.text();
if (text !== '') console.error(text);
process.exitCode = answer.ok ? 0 : 1;

export {};
