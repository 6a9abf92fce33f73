import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, META } from './meta.ts';
import {
  acknowledgedText,
  filterText,
  listenFilterOf,
  listenResultText,
  MAX_LISTEN_IDS,
  noticeText,
  withoutSubscriptionId,
  type ListenFilter,
} from './subscriptions.ts';
import { objectSource, request, runs, textOf } from './test-support.ts';

const read = (notifications: unknown): unknown => listenFilterOf(request('subscriptions/listen', { notifications }).params);
const NOTHING: ListenFilter = { tools: false, prompts: false, resources: false, uris: [], taskIds: [] };

describe('listenFilterOf (S26 subscriptions, "Notification Filter")', () => {
  it('reads what is there, each id once', () => {
    expect(read({})).toEqual(NOTHING);
    expect(
      read({
        toolsListChanged: true,
        promptsListChanged: false,
        resourcesListChanged: null,
        resourceSubscriptions: ['b', 'a', 'b'],
        taskIds: ['t'],
        other: 7,
      }),
    ).toEqual({ ...NOTHING, tools: true, uris: ['b', 'a'], taskIds: ['t'] });
  });

  it.each([
    undefined,
    null,
    [],
    'tools',
    { toolsListChanged: 'true' },
    { promptsListChanged: 1 },
    { resourcesListChanged: {} },
    { resourceSubscriptions: 'file:///a' },
    { resourceSubscriptions: [7] },
    { taskIds: {} },
    { taskIds: Array.from({ length: MAX_LISTEN_IDS + 1 }, (_, i) => `t${i}`) },
  ])('%j is refused', (notifications) => {
    expect(read(notifications)).toMatchObject({ code: -32602 });
    expect(listenFilterOf(undefined)).toMatchObject({ code: -32602 });
  });

  it('is the inverse of filterText', () => {
    const ids = fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 5 });
    const filter = fc.record({ tools: fc.boolean(), prompts: fc.boolean(), resources: fc.boolean(), uris: ids, taskIds: ids });
    fc.assert(
      fc.property(filter, (wanted) => {
        const text = filterText(wanted);
        expect(listenFilterOf(request('subscriptions/listen', `{"notifications":${text}}`).params)).toEqual(wanted);
        expect(text).not.toMatch(/false|\[\]/);
      }),
      runs(300),
    );
  });
});

describe('messages on a subscription (S26 subscriptions)', () => {
  const id = '12345678901234567890';

  it('keep the text of the id, and with it its type', () => {
    expect(acknowledgedText(id, { ...NOTHING, tools: true, uris: ['u'] })).toBe(
      `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"${META.subscriptionId}":${id}},"notifications":{"toolsListChanged":true,"resourceSubscriptions":["u"]}}}`,
    );
    expect(noticeText('"a"', 'notifications/tools/list_changed', undefined)).toBe(
      `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"${META.subscriptionId}":"a"}}}`,
    );
    expect(JSON.parse(listenResultText('"a"', { name: 'gw', version: '1' }))).toEqual({
      jsonrpc: '2.0',
      id: 'a',
      result: { resultType: 'complete', _meta: { [META.subscriptionId]: 'a', [META.serverInfo]: { name: 'gw', version: '1' } } },
    });
  });

  it('replace the id of the upstream, or take it off for a legacy client', () => {
    const params = textOf(`{ "uri":"u" ,"_meta":{ "${META.subscriptionId}":9,"k":1.0}}`);
    expect(noticeText('1', 'm', params)).toContain(`"params":{"uri":"u","_meta":{"${META.subscriptionId}":1,"k":1.0}}`);
    expect(noticeText(undefined, 'm', params)).toContain('"params":{"uri":"u","_meta":{"k":1.0}}');
    expect(noticeText(undefined, 'm', undefined)).toBe('{"jsonrpc":"2.0","method":"m"}');
    expect(noticeText('1', 'm', textOf('{"_meta":null}'))).toContain(`"params":{"_meta":{"${META.subscriptionId}":1}}`);
  });
});

describe('withoutSubscriptionId', () => {
  it('takes the id off, and a _meta that holds nothing else', () => {
    const made = withoutSubscriptionId(textOf(`{"uri":"u","n":1.0,"_meta":{"${META.subscriptionId}":9}}`));
    expect(made).toEqual({ text: '{"uri":"u","n":1.0}', value: { uri: 'u', n: 1 } });
    const none = textOf('{ "_meta":{} }');
    expect(withoutSubscriptionId(none)).toBe(none);
  });

  it('undoes noticeText, for any params', () => {
    const head = '{"jsonrpc":"2.0","method":"m","params":';
    fc.assert(
      fc.property(objectSource(), (text) => {
        const params = textOf(text);
        const notice = noticeText('1', 'm', params);
        expect(notice.startsWith(head)).toBe(true);
        const back = withoutSubscriptionId(textOf(notice.slice(head.length, -1)));
        expect(JSON.parse(back.text)).toEqual(back.value);
        expect(back.text).not.toContain(META.subscriptionId);
        const { _meta: before, ...rest } = params.value;
        const { _meta: after, ...others } = back.value;
        expect(others).toEqual(rest);
        if (isObject(before) && Object.keys(before).length > 0) expect(after).toEqual(before);
        else expect(after).toBeUndefined();
      }),
      runs(300),
    );
  });
});
