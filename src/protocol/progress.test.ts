import { describe, expect, it } from 'vitest';
import { ProgressGate, progressText } from './progress.ts';
import { textOf } from './test-support.ts';

describe('ProgressGate (S26 progress, "Progress Flow"; PROTOCOL C12)', () => {
  it('lets increasing values pass', () => {
    verifies('progress-increases');
    const gate = new ProgressGate();
    const passed = ['-1', '0', '0', '0.5', '0.4', '1', '"2"', 'null', '1e999', '1.5', '-1e999'].map((progress) =>
      gate.pass(textOf(`{"progress":${progress}}`)),
    );
    expect(passed).toEqual([true, true, false, true, false, true, false, false, false, true, false]);
  });

  it.each([undefined, textOf('{}'), textOf('{"progress":[1]}')])('without a value nothing passes', (params) => {
    expect(new ProgressGate().pass(params)).toBe(false);
  });
});

describe('progressText', () => {
  it('replaces the token and nothing else', () => {
    const params = textOf('{ "progressToken":7, "progress":1.0 ,"total":12345678901234567890,"message":"x"}');
    expect(progressText(params, '"mine"')).toBe(
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"mine","progress":1.0,"total":12345678901234567890,"message":"x"}}',
    );
    expect(progressText(textOf('{"progress":1}'), '5')).toContain('"progressToken":5');
  });
});
