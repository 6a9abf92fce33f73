import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../protocol/index.ts';
import { Failures } from '../failures.ts';
import { mayFlow, ResultFlow } from './flow.ts';

/** Members of a result: what it is about, what else may stand in it, and what must not reach a client before it was checked. */
const BODY = ['"content":[{"type":"text","text":"x"}]', '"structuredContent":{"resultType":"list","requestState":1}'];
const OTHERS = ['"_meta":{"content":1,"taskId":2}', '"isError":true', '"x":["inputRequests",{"resultType":"task"}]'];
const OPEN = ['"inputRequests":{"a":"SECRET"}', '"requestState":"SECRET"', '"taskId":"SECRET"', '"task":{"id":"SECRET"}'];
const TYPES = ['"complete"', '"input_required"', '"task"', undefined];

const answer = fc
  .tuple(fc.subarray(BODY), fc.subarray(OTHERS), fc.subarray(OPEN, { maxLength: 2 }), fc.constantFrom(...TYPES))
  .chain(([body, others, open, type]) => {
    const members = [...body, ...others, ...open, ...(type === undefined ? [] : [`"resultType":${type}`])];
    return fc.shuffledSubarray(members, { minLength: members.length }).map((order) => ({ order, type }));
  });

const textOf = (order: readonly string[]): string => `{"jsonrpc":"2.0","id":7,"result":{${order.join(',')}}}`;

function flowOf(chunks: readonly Buffer[], rest: readonly Buffer[]): { readonly text: string; readonly failure: Failure | undefined } {
  let text = '';
  let failure: Failure | undefined;
  const source = { pause: () => undefined, resume: () => undefined };
  const serverInfo = { name: 's', version: '1' };
  const flow = new ResultFlow({
    chunks,
    method: 'tools/call',
    id: 7,
    maxBytes: 1e6,
    serverInfo,
    failures: new Failures('s', 1e6),
    source,
    onOver: () => undefined,
    onMove: () => undefined,
  });
  flow.begin({ idText: '"c"', write: (bytes) => (text += bytes.toString()) !== '', end: (why) => (failure = why) });
  for (const chunk of rest) flow.data(chunk);
  flow.done();
  return { text, failure };
}

describe('an answer that may flow (PROTOCOL A13)', () => {
  it('is whole in the end if it is complete, else it breaks off before anything that has to be sealed, however it is cut and looked at', () => {
    fc.assert(
      fc.property(
        answer,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        ({ order, type }, sizes, at) => {
          const bytes = Buffer.from(textOf(order));
          const chunks: Buffer[] = [];
          for (let from = 0; from < bytes.length; from += chunks.at(-1)?.length ?? 0)
            chunks.push(bytes.subarray(from, from + (sizes[chunks.length % sizes.length] ?? 1)));
          const looked = at % (chunks.length + 1);
          const may = mayFlow(chunks.slice(0, looked), 7);
          const complete = type === undefined || type === '"complete"';
          if (complete) expect(may).not.toBe(false);
          if (may !== true) return;
          const { text, failure } = flowOf(chunks.slice(0, looked), chunks.slice(looked));
          if (complete) {
            expect(failure).toBeUndefined();
            const sent = JSON.parse(bytes.toString()) as { result: object };
            expect(JSON.parse(text)).toMatchObject({ id: 'c', result: { ...sent.result, resultType: 'complete' } });
          } else {
            expect(failure?.code).toBe('upstream_protocol_error');
            expect(text).not.toContain('SECRET');
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete"', true],
    ['{"id":7,"result":{"content":[', true],
    ['{"id":7,"result":{"resultType":"complete","requestState":"s"', true],
    ['{"id":7,"result":{"content":[],"requestState":"s"', undefined],
    ['{"id":7,"result":{"taskId":"t","content":[', undefined],
    ['{"id":7,"result":{"x":{"content":[', undefined],
    ['', undefined],
    ['{"id":7,"result":{"content":[],"resultType":"input_required"', false],
    ['{"id":8,"result":{"content":[', false],
    ['{"id":7,"error":{"code":1', false],
    ['{"method":"notifications/message","params":{', false],
    ['[{"id":7,"result":{"content":[', false],
    ['{"id":7,,', false],
  ])('with the beginning %s: %s', (head, may) => {
    expect(mayFlow([Buffer.from(head)], 7)).toBe(may);
  });
});
