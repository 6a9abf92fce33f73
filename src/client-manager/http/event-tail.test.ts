import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventReader } from './event-reader.ts';
import { EventTail, lineEnd } from './event-tail.ts';

const ANSWER = `{"jsonrpc":"2.0","id":1,"result":{"text":"${'é"\\n data: '.replaceAll('"', '\\"')}${'x'.repeat(50)}"}}`;

describe('EventTail', () => {
  it('finds the beginning of the data however the stream is cut, or nothing', () => {
    const field = fc.constantFrom(': a comment', 'id: 7', 'retry: 10', 'event: message', 'event:message', ':');
    const breaks = fc.constantFrom('\n', '\r\n', '\r');
    const stream = fc.record({
      breaks,
      before: fc.array(fc.constantFrom('{"a":1}', '{}'), { maxLength: 3 }),
      fields: fc.array(field, { maxLength: 4 }),
      space: fc.boolean(),
    });
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 80 }),
        ({ breaks: end, before, fields, space }, sizes) => {
          const head =
            before.map((data) => `event: message${end}data: ${data}${end}${end}`).join('') + fields.map((line) => line + end).join('');
          const bytes = Buffer.from(`${head}data:${space ? ' ' : ''}${ANSWER}`);
          const dataAt = Buffer.byteLength(`${head}data:${space ? ' ' : ''}`);
          const reader = new EventReader(1_000_000);
          const tail = new EventTail();
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const chunk = bytes.subarray(at, at + 1 + (sizes[i % sizes.length] as number));
            at += chunk.length;
            tail.keep(chunk, reader.feed(chunk).length > 0);
            const data = tail.data();
            if (at > dataAt) expect(data?.toString('latin1')).toBe(bytes.toString('latin1', dataAt, at));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each(['event: other\ndata: {"a"', 'data: {"a":\ndata: 1', 'data\ndata: {}', 'datum: {"a"', ''])('finds nothing in %j', (text) => {
    const tail = new EventTail();
    tail.keep(Buffer.from(text), false);
    expect(tail.data()).toBeUndefined();
  });
});

describe('lineEnd', () => {
  it('is the first of either line break', () => {
    expect(['ab', 'a\nb\r', 'a\rb\n', '\r\n', ''].map((text) => lineEnd(Buffer.from(text)))).toEqual([-1, 1, 1, 0, -1]);
  });
});
