import { describe, expect, it } from 'vitest';
import { toolError, toolResult } from './format.ts';
import { Refusal } from './test-support.ts';

const parsed = (result: { text: string } | undefined) =>
  JSON.parse(result?.text ?? 'null') as { content: { type: string; text: string }[]; structuredContent?: unknown; isError?: true };

describe('toolResult', () => {
  const real = { data: 'a"b\u2028', source: { simulated: false } };

  it('is text for models and data for programs, which say the same', () => {
    const result = parsed(toolResult(real, 1000, false));
    expect(result).toEqual({ content: [{ type: 'text', text: JSON.stringify(real) }], structuredContent: real });
  });

  it.each([
    ['the server is', real, true],
    ['its source is', { source: { simulated: true } }, false],
  ])('begins SIMULATED where %s simulated', (_what, data, simulated) => {
    expect(parsed(toolResult(data, 1000, simulated)).content[0]?.text).toMatch(/^SIMULATED /);
  });

  it.each([{ source: { simulated: 'true' } }, { source: null }, { simulated: true }, {}])('does not where it is not: %j', (data) => {
    expect(parsed(toolResult(data, 1000, false)).content[0]?.text).not.toContain('SIMULATED');
  });

  it('counts bytes, not characters, and takes exactly the cap', () => {
    const data = { a: 'é'.repeat(10) };
    expect(toolResult(data, 28, false)).toBeDefined();
    expect(toolResult(data, 27, false)).toBeUndefined();
  });
});

describe('toolError', () => {
  it('gives a model what it can act on', () => {
    const result = parsed(toolError(new Refusal('No such symbol.'), false));
    expect(result.isError).toBe(true);
    expect(JSON.parse(result.content[0]?.text ?? '')).toEqual({
      code: 42210000,
      message: 'No such symbol.',
      field: 'symbol',
      retryable: false,
      hint: 'Use search_symbols.',
    });
    expect(parsed(toolError(new Refusal('x'), true)).content[0]?.text).toMatch(/^SIMULATED\n\{/);
  });
});
