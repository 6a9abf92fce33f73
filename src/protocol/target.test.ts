import { describe, expect, it } from 'vitest';
import { textOf } from './test-support.ts';
import { outcomeOf } from './target.ts';

describe('outcomeOf (S26 basic, "ResultType"; PROTOCOL C9)', () => {
  it.each([
    ['{}', 'complete'],
    ['{"resultType":"complete"}', 'complete'],
    ['{"resultType":"input_required"}', 'input_required'],
    ['{"resultType":"task"}', 'task'],
  ])('%s is %s and keeps its text', (text, kind) => {
    expect(outcomeOf(textOf(text))).toMatchObject({ kind, result: { text } });
  });

  it.each(['"other"', 'null', '7', '"COMPLETE"', '"constructor"', '""'])(
    'the unknown type %s is a failure whose effect is unknown',
    (type) => {
      expect(outcomeOf(textOf(`{"resultType":${type}}`))).toMatchObject({
        kind: 'failed',
        failure: { code: 'upstream_protocol_error', executed: 'unknown' },
      });
    },
  );
});
