import { describe, expect, it } from 'vitest';
import { jsonText, legacyParams, missingCapability, type Call, type JsonText, type Outcome } from '../../protocol/index.ts';
import { paramsOf } from '../test-kit.ts';
import { TASKS, withoutTasks, withTasks } from './task-calls.ts';
import { endOf } from './task-end.ts';

const options = { server: 's', via: 'http-legacy', canceled: false, maxBytes: 1_000 };
const complete = (text: string): Outcome => ({ kind: 'complete', result: { text, value: JSON.parse(text) as JsonText['value'] } });
const failed = (code: 'canceled' | 'busy', executed: 'no' | 'unknown'): Outcome => ({
  kind: 'failed',
  failure: { code, message: 'why', executed },
});

describe('how a task ends', () => {
  const RELATED = '"io.modelcontextprotocol/related-task":{"taskId":"t"}';

  it.each([
    [`{"content":[],"_meta":{${RELATED}},"n":12345678901234567890}`, '{"content":[],"n":12345678901234567890}'],
    [`{"_meta":{"a":1,${RELATED}},"content":[]}`, '{"_meta":{"a":1},"content":[]}'],
    ['{"content":[ ],"_meta":{"a":1.0}}', '{"content":[ ],"_meta":{"a":1.0}}'],
  ])('keeps the bytes of %s but for the task of the server', (text, kept) => {
    expect(endOf(complete(text), options).end).toEqual({ status: 'completed', result: kept });
  });

  it('says of a cancellation whether the call can have taken effect', () => {
    const canceled = { ...options, canceled: true };
    expect(endOf(failed('canceled', 'no'), canceled)).toEqual({
      end: { status: 'cancelled' },
      message: 'Canceled before the call was sent.',
    });
    expect(endOf(failed('canceled', 'unknown'), canceled).message).toContain('may or may not');
    expect(endOf(complete('{"content":[]}'), canceled).end.status).toBe('completed');
    expect(endOf(failed('canceled', 'unknown'), options).end).toMatchObject({
      status: 'failed',
      error: { data: { code: 'outcome_unknown' } },
    });
  });

  it('fails with the errors of the server as a modern client may see them', () => {
    const own = missingCapability({ roots: {} });
    expect(endOf({ kind: 'error', error: own }, options).end).toEqual({ status: 'failed', error: own });
    expect(endOf(failed('busy', 'no'), options).end).toMatchObject({ error: { code: 4290, data: { code: 'busy', executed: 'no' } } });
    expect(endOf({ kind: 'task', result: jsonText({}) }, options).end).toMatchObject({ error: { data: { code: 'outcome_unknown' } } });
  });
});

describe('what is declared', () => {
  const call = (offers: object): Call => ({ offers: jsonText(offers as never), client: {} }) as unknown as Call;

  it('gains and loses tasks and nothing else', () => {
    expect(withTasks(call({})).offers.value).toEqual(TASKS);
    const more = { roots: {}, extensions: { 'a/b': { c: 1 } } };
    const both = { roots: {}, extensions: { 'a/b': { c: 1 }, ...(TASKS.extensions as object) } };
    expect(withTasks(call(more)).offers).toEqual(jsonText(both));
    expect(withoutTasks(call(both)).offers).toEqual(jsonText(more));
    expect(withoutTasks(call(TASKS)).offers.text).toBe('{}');
  });

  it('does not hold the tasks of 2025-11-25: they are not relayed', () => {
    const params = paramsOf('{"name":"x","task":{"ttl":1},"arguments":{"task":1}}');
    const request = { method: 'tools/call', params, edits: [] } as unknown as Call;
    expect(legacyParams(request, undefined)).toBe('{"name":"x","arguments":{"task":1}}');
  });
});
