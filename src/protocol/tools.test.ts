import { describe, expect, it } from 'vitest';
import { textOf } from './test-support.ts';
import { readTools, renamedTool, unannotatedTool, type ToolDefinition } from './tools.ts';

const SCHEMA = '{"type":"object"}';
const read = (...tools: string[]) => readTools(textOf(`{"tools":[${tools.join(',')}]}`));
function one(text: string): ToolDefinition {
  const reading = read(text)[0];
  if (reading?.ok !== true) throw new Error(JSON.stringify(reading));
  return reading.tool;
}

describe('readTools', () => {
  it('gives the tools in the order of the list, each with its own bytes', () => {
    const texts = [
      `{"name":"b","inputSchema":${SCHEMA}, "x":1.0}`,
      `{ "name":"a","inputSchema":{"type":"object","maximum":12345678901234567890}}`,
    ];
    expect(read(...texts).map((reading) => reading.ok && [reading.tool.name, reading.tool.text])).toEqual([
      ['b', texts[0]],
      ['a', texts[1]],
    ]);
  });

  it.each(['{}', '{"tools":null}', '{"tools":{}}', '{"tools":[]}'])('%s has none', (text) => {
    expect(readTools(textOf(text))).toEqual([]);
  });

  it.each([
    ['null', 'no name'],
    ['7', 'no name'],
    ['[]', 'no name'],
    ['{}', 'no name'],
    ['{"name":""}', 'no name'],
    ['{"name":7}', 'no name'],
    ['{"name":"a"}', 'inputSchema'],
    ['{"name":"a","inputSchema":null}', 'inputSchema'],
    ['{"name":"a","inputSchema":[]}', 'inputSchema'],
    ['{"name":"a","inputSchema":{}}', 'type "object"'],
    ['{"name":"a","inputSchema":{"type":["object"]}}', 'type "object"'],
    [`{"name":"a","inputSchema":${SCHEMA},"outputSchema":true}`, 'outputSchema'],
    [`{"name":"a","inputSchema":${SCHEMA},"annotations":[]}`, 'annotations'],
    [`{"name":"a","inputSchema":${SCHEMA},"description":7}`, 'description'],
    [`{"name":"a","inputSchema":${SCHEMA},"icons":{}}`, 'icons'],
    [`{"name":"a","inputSchema":${SCHEMA},"_meta":"x"}`, '_meta'],
    [`{"name":"a","inputSchema":${SCHEMA},"n\\u0061me":"b"}`, 'twice'],
  ])('leaves %s out, says why, and keeps the others', (text, reason) => {
    const readings = read(text, `{"name":"good","inputSchema":${SCHEMA}}`);
    expect(readings[0]).toMatchObject({ ok: false, reason: expect.stringContaining(reason) as string });
    expect(readings[1]).toMatchObject({ ok: true, tool: { name: 'good' } });
  });

  it('takes optional members that are null for absent', () => {
    const tool = one(`{"name":"a","title":null,"description":null,"inputSchema":${SCHEMA},"outputSchema":null,"annotations":null,"n":1.0}`);
    expect(tool).toMatchObject({ text: `{"name":"a","inputSchema":${SCHEMA},"n":1.0}`, outputSchema: undefined, annotations: {} });
    expect(tool.value).toEqual({ name: 'a', inputSchema: { type: 'object' }, n: 1 });
  });

  it('of two lists in one result both value and text are of the same one', () => {
    const [reading] = readTools(
      textOf(`{"tools":[{"name":"shown","inputSchema":${SCHEMA}}],"tools":[{"name":"real","inputSchema":${SCHEMA}}]}`),
    );
    expect(reading).toMatchObject({ ok: true, tool: { name: 'real', text: expect.stringContaining('"real"') as string } });
  });

  it('does not repeat a name of any length in a reason', () => {
    expect(JSON.stringify(read(`{"name":"${'x'.repeat(100_000)}"}`)[0]).length).toBeLessThan(1000);
  });
});

describe('definitions for others', () => {
  it('renamedTool changes the name and nothing else', () => {
    const tool = one(`{"title":"name","name": "a","inputSchema":{"type":"object","properties":{"name":{"const":1.0}}}}`);
    expect(renamedTool(tool, 'srv__"a"')).toBe(tool.text.replace('"a"', '"srv__\\"a\\""'));
    expect(renamedTool(tool, 'a')).toBe(tool.text);
  });

  it('unannotatedTool has no x-mcp-header in text, value and schema (PROTOCOL C3)', () => {
    const tool = unannotatedTool(
      one('{"name":"a","inputSchema":{"type":"object","properties":{"r":{"type":"number","x-mcp-header":"R"}}},"n":1.0}'),
    );
    expect(tool.text).toBe('{"name":"a","inputSchema":{"type":"object","properties":{"r":{"type":"number"}}},"n":1.0}');
    expect(JSON.stringify([tool.value, tool.inputSchema])).not.toContain('x-mcp-header');
  });
});
