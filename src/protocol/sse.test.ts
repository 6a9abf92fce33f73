import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseParser, sseEvent, type SseEvent } from './sse.ts';
import { runs } from './test-support.ts';

function parse(chunks: readonly string[], maxLength = 10_000): SseEvent[] {
  const parser = new SseParser(maxLength);
  return chunks.flatMap((chunk) => parser.feed(chunk));
}

const data = (stream: string): string[] => parse([stream]).map((event) => event.data);

describe('SseParser (WHATWG HTML, "Server-sent events")', () => {
  it.each([
    ['data: a\n\n', ['a']],
    ['data:a\n\n', ['a']],
    ['data:  a\n\n', [' a']],
    ['data: a\r\rdata: b\r\n\r\ndata: c\n\n', ['a', 'b', 'c']],
    ['data: a\ndata: b\ndata\n\n', ['a\nb\n']],
    ['data:\n\n', ['']],
    ['data\n\n', ['']],
    [': comment\ndata: a\n:\n\n', ['a']],
    ['\ufeffdata: a\n\n', ['a']],
    ['\ufeff\ufeffdata: a\n\n', []],
    ['event: x\n\ndata: a\n\n', ['a']],
    ['DATA: a\nunknown: b\n\n', []],
    ['data: never ended\n', []],
    ['\n\n\n', []],
    ['data: {"a":":"}\n\n', ['{"a":":"}']],
  ])('%j', (stream, expected) => {
    expect(data(stream)).toEqual(expected);
  });

  it('gives the event, which does not outlive a blank line, and the id, which does', () => {
    expect(parse(['event: e\nid: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: x\0y\ndata: d\n\nevent: lost\n\ndata: e\n\n'])).toEqual([
      { event: 'e', id: '1', data: 'a', retry: undefined },
      { event: 'message', id: '1', data: 'b', retry: undefined },
      { event: 'message', id: '', data: 'c', retry: undefined },
      { event: 'message', id: '', data: 'd', retry: undefined },
      { event: 'message', id: '', data: 'e', retry: undefined },
    ]);
  });

  it('gives retry with its event, and keeps one that came without data for the next', () => {
    const retries = (stream: string) => parse([stream]).map(({ retry, id }) => [retry, id]);
    expect(retries('retry: 100\ndata: a\n\ndata: b\n\n')).toEqual([
      [100, undefined],
      [undefined, undefined],
    ]);
    expect(retries('id: 7\nretry: 30\n\ndata: a\n\n')).toEqual([[30, '7']]);
    expect(retries('retry: 1.5\nretry: -1\nretry: x\nretry:\ndata: a\n\n')).toEqual([[undefined, undefined]]);
  });

  it('the same stream cut anywhere gives the same events', () => {
    const field = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('data', 'event', 'id', 'retry', '', 'x'),
          fc.constantFrom(':', ': ', ''),
          fc.oneof(fc.string({ maxLength: 6 }), fc.constant('12')),
        )
        .map((parts) => parts.join('')),
      fc.constantFrom('\ufeff', '\ufeffdata: x', 'data', 'data:'),
    );
    const lines = fc.array(fc.tuple(fc.oneof(field, fc.constant('')), fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 20 });
    fc.assert(
      fc.property(fc.boolean(), lines, fc.array(fc.nat(300), { maxLength: 12 }), (mark, parts, cuts) => {
        const stream = (mark ? '\ufeff' : '') + parts.map((part) => part.join('')).join('');
        const at = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, i) => stream.slice(at[i], end));
        expect(parse(chunks)).toEqual(parse([stream]));
        expect(parse(stream.split(''))).toEqual(parse([stream]));
      }),
      runs(1000),
    );
  });

  it.each([
    ['one long line', 'data: ' + 'x'.repeat(101)],
    ['many lines', 'data: xxxxxxxxx\n'.repeat(11)],
    ['many empty lines', 'data\n'.repeat(103)],
    ['a comment without end', ':' + 'x'.repeat(101)],
  ])('throws a RangeError beyond the cap: %s', (_what, stream) => {
    expect(() => parse([stream], 100)).toThrow(RangeError);
    expect(() => parse(stream.split(''), 100)).toThrow(RangeError);
  });

  it('takes events up to the cap, however many', () => {
    expect(parse([`data: ${'x'.repeat(100)}\n\n`.repeat(50)], 100)).toHaveLength(50);
    expect(parse(['data\n'.repeat(101) + '\n'], 100)).toEqual([expect.objectContaining({ data: '\n'.repeat(100) })]);
  });

  it('goes through a large piece of short lines once', () => {
    expect(parse(['data: a\n\n'.repeat(300_000)])).toHaveLength(300_000);
    expect(parse(['\n'.repeat(4_000_000)])).toEqual([]);
  });
});

describe('sseEvent', () => {
  it('is what the parser reads', () => {
    expect(parse([sseEvent('{"a":1}', '7') + sseEvent('{}')])).toEqual([
      { event: 'message', data: '{"a":1}', id: '7', retry: undefined },
      { event: 'message', data: '{}', id: '7', retry: undefined },
    ]);
  });
});
