import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  askOf,
  askProblem,
  inputRequestsOf,
  inputRequestText,
  inputRequiredResult,
  inputResponses,
  inputResponsesOf,
  mayAsk,
  urlAsksOf,
  withProvenance,
} from './asks.ts';
import { rpcError } from './errors.ts';
import type { JsonObject } from './meta.ts';
import { outcomeOf, type Ask, type AskMethod } from './target.ts';
import { key, objectSource, request, requestOf, runs, textOf } from './test-support.ts';

const ask = (method: AskMethod, params?: string): Ask => ({ method, params: params === undefined ? undefined : textOf(params) });
const FORM = '{"message":"m","requestedSchema":{"type":"object","properties":{}}}';
const URL_ASK = '{"mode":"url","message":"m","url":"https://a.example/"}';
const SAMPLE = '{"messages":[],"maxTokens":5}';

describe('askOf', () => {
  it('takes the params of a request as they came', () => {
    const params = '{ "message" : "m","n":12345678901234567890 }';
    expect(askOf(request('elicitation/create', params))).toMatchObject({ method: 'elicitation/create', params: { text: params } });
    expect(askOf(request('roots/list'))).toEqual({ method: 'roots/list', params: undefined });
  });

  it.each(['ping', 'tools/call', 'elicitation/complete', 'constructor'])('%s is no ask', (method) => {
    expect(askOf(request(method, {}))).toBeUndefined();
  });
});

describe('mayAsk (S26 elicitation and sampling, "Capabilities"; PROTOCOL B)', () => {
  it.each<[Ask, JsonObject, boolean]>([
    [ask('elicitation/create', FORM), {}, false],
    [ask('elicitation/create', FORM), { elicitation: {} }, true],
    [ask('elicitation/create', FORM), { elicitation: { form: {} } }, true],
    [ask('elicitation/create', FORM), { elicitation: { url: {} } }, false],
    [ask('elicitation/create', '{"mode":"form"}'), { elicitation: {} }, true],
    [ask('elicitation/create', URL_ASK), { elicitation: {} }, false],
    [ask('elicitation/create', URL_ASK), { elicitation: { form: {} } }, false],
    [ask('elicitation/create', URL_ASK), { elicitation: { form: {}, url: {} } }, true],
    [ask('elicitation/create', '{"mode":"other"}'), { elicitation: { form: {}, url: {} } }, false],
    [ask('elicitation/create', '{"mode":7}'), { elicitation: { form: {}, url: {} } }, false],
    [ask('elicitation/create'), { elicitation: true }, false],
    [ask('sampling/createMessage', SAMPLE), { sampling: {} }, true],
    [ask('sampling/createMessage', SAMPLE), { elicitation: {} }, false],
    [ask('sampling/createMessage', '{"tools":[]}'), { sampling: {} }, false],
    [ask('sampling/createMessage', '{"toolChoice":{}}'), { sampling: { tools: null } }, false],
    [ask('sampling/createMessage', '{"tools":[]}'), { sampling: { tools: {} } }, true],
    [ask('sampling/createMessage', '{"tools":null}'), { sampling: {} }, true],
    [ask('roots/list'), { roots: {} }, true],
    [ask('roots/list'), {}, false],
  ])('%j of %j: %s', (one, offers, expected) => {
    expect(mayAsk(one, offers)).toBe(expected);
  });
});

describe('askProblem', () => {
  it.each<[AskMethod, string | undefined, RegExp | undefined]>([
    ['elicitation/create', FORM, undefined],
    ['elicitation/create', URL_ASK, undefined],
    ['elicitation/create', undefined, /message/],
    ['elicitation/create', '{"message":"m"}', /requestedSchema/],
    ['elicitation/create', '{"message":"m","mode":"url"}', /url/],
    ['elicitation/create', '{"message":"m","mode":"x"}', /mode/],
    ['sampling/createMessage', SAMPLE, undefined],
    ['sampling/createMessage', '{"messages":{}}', /messages/],
    ['sampling/createMessage', '{"messages":[]}', /maxTokens/],
    ['roots/list', undefined, undefined],
  ])('%s with %s', (method, params, problem) => {
    const said = askProblem(ask(method, params));
    if (problem === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(problem);
  });
});

describe('inputRequestText (S26 mrtr, "InputRequests")', () => {
  it('is a modern entry: without the members that only legacy requests have', () => {
    const params = `{ "message":"m", "n":12345678901234567890,"task":{"ttl":1},"elicitationId":"e","_meta":{"progressToken":1,"io.modelcontextprotocol/related-task":{}} }`;
    expect(inputRequestText(ask('elicitation/create', params))).toBe(
      '{"method":"elicitation/create","params":{"message":"m","n":12345678901234567890}}',
    );
    expect(inputRequestText(ask('sampling/createMessage', '{"_meta":{"progressToken":1,"k":1.0},"task":{}}'))).toBe(
      '{"method":"sampling/createMessage","params":{"_meta":{"k":1.0}}}',
    );
    expect(inputRequestText(ask('elicitation/create', FORM))).toBe(`{"method":"elicitation/create","params":${FORM}}`);
    expect(inputRequestText(ask('roots/list'))).toBe('{"method":"roots/list"}');
    expect(inputRequestText(ask('sampling/createMessage'))).toBe('{"method":"sampling/createMessage","params":{}}');
  });
});

describe('input_required results (S26 mrtr)', () => {
  it('read back as they were written, for any keys and params', () => {
    const asks = fc.array(
      fc.tuple(key(), fc.constantFrom<AskMethod>('elicitation/create', 'sampling/createMessage', 'roots/list'), objectSource()),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(asks, fc.option(fc.string({ unit: 'binary' }), { nil: undefined }), (entries, state) => {
        const texts = new Map(entries.map(([name, method, params]) => [name, `{"method":"${method}","params":${params}}`]));
        const result = inputRequiredResult(texts, state);
        expect(outcomeOf(result).kind).toBe('input_required');
        expect(result.value.requestState).toBe(state);
        const read = inputRequestsOf(result);
        expect(read === undefined).toBe(texts.size === 0 && state === undefined);
        expect([...(read ?? [])].map(([name, { method, params }]) => [name, `{"method":"${method}","params":${params?.text}}`])).toEqual([
          ...texts,
        ]);
      }),
      runs(300),
    );
  });

  it('may hold only a state', () => {
    expect(inputRequiredResult(new Map(), 's').text).toBe('{"resultType":"input_required","requestState":"s"}');
    expect(inputRequestsOf(textOf('{"requestState":"s"}'))).toEqual(new Map());
    expect(inputRequestsOf(textOf('{"inputRequests":{},"requestState":""}'))).toEqual(new Map());
  });

  it.each([
    '{}',
    '{"inputRequests":null}',
    '{"inputRequests":{}}',
    '{"inputRequests":[]}',
    '{"inputRequests":7}',
    '{"inputRequests":{},"requestState":7}',
    '{"inputRequests":{"a":null}}',
    '{"inputRequests":{"a":{}}}',
    '{"inputRequests":{"a":{"method":"tools/call"}}}',
    '{"inputRequests":{"a":{"method":"roots/list","params":[]}}}',
    '{"inputRequests":{"a":{"method":"roots/list"},"a":{"method":"roots/list"}}}',
    '{"inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"form","mode":"url"}}}}',
    `{"inputRequests":{${Array.from({ length: 65 }, (_, i) => `"${i}":{"method":"roots/list"}`).join(',')}}}`,
  ])('%s is malformed', (text) => {
    expect(inputRequestsOf(textOf(text))).toBeUndefined();
  });

  it('params that are null are none', () => {
    expect(inputRequestsOf(textOf('{"inputRequests":{"a":{"method":"roots/list","params":null}}}'))?.get('a')).toEqual(ask('roots/list'));
  });

  it('never throw, whatever a server sends', () => {
    fc.assert(
      fc.property(objectSource(), (text) => {
        inputRequestsOf(textOf(`{"inputRequests":${text}}`));
        inputRequestsOf(textOf(text));
      }),
      runs(200),
    );
  });
});

describe('inputResponses', () => {
  it('only objects are answers, each with its own text', () => {
    const answers = inputResponsesOf(textOf('{"a":{ "action":"accept","n":1.0 },"b":7,"c":null,"d":[],"__proto__":{}}'));
    expect([...answers].map(([name, { text }]) => [name, text])).toEqual([
      ['a', '{ "action":"accept","n":1.0 }'],
      ['__proto__', '{}'],
    ]);
  });

  it('read back as they were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key(), objectSource()), { selector: ([name]) => name }), (entries) => {
        const answers = new Map(entries.map(([name, text]) => [name, textOf(text)]));
        const written = inputResponses(answers);
        expect(JSON.parse(written.text)).toEqual(written.value);
        expect(inputResponsesOf(written)).toEqual(answers);
      }),
      runs(200),
    );
  });
});

describe('urlAsksOf (S25 elicitation, -32042; PROTOCOL C2)', () => {
  it('makes entries of the elicitations, by their ids', () => {
    const elicitations = [
      { mode: 'url', elicitationId: 'a', url: 'https://a.example/', message: 'm', extra: 1 },
      { mode: 'url', elicitationId: 'a', url: 'https://b.example/' },
      { mode: 'url', url: 'https://c.example/', message: 7 },
      { mode: 'url', elicitationId: 'd' },
      null,
    ];
    const entries = urlAsksOf(rpcError(-32042, 'sign in', { elicitations }));
    const entry = (url: string, message: string): string =>
      `{"method":"elicitation/create","params":{"mode":"url","message":"${message}","url":"${url}"}}`;
    expect([...(entries ?? [])]).toEqual([
      ['a', entry('https://a.example/', 'm')],
      ['a-2', entry('https://b.example/', 'sign in')],
      ['url', entry('https://c.example/', 'sign in')],
    ]);
    const asks = inputRequestsOf(inputRequiredResult(entries ?? new Map(), undefined));
    for (const one of asks?.values() ?? []) expect(askProblem(one)).toBeUndefined();
    expect(asks?.size).toBe(3);
  });

  it.each([
    rpcError(-32042, 'x'),
    rpcError(-32042, 'x', { elicitations: [] }),
    rpcError(-32042, 'x', { elicitations: [{}] }),
    rpcError(-32042, 'x', { elicitations: 'a' }),
    rpcError(-32041, 'x', { elicitations: [{ url: 'u' }] }),
  ])('%j has none', (error) => {
    expect(urlAsksOf(error)).toBeUndefined();
  });
});

describe('withProvenance (PROTOCOL C10)', () => {
  it('puts the name of the server before what a person reads', () => {
    const made = withProvenance(ask('elicitation/create', '{ "message":"Your \\"name\\"?","n":1.0 }'), 'crm');
    expect(made.params).toEqual(textOf('{"message":"[crm] Your \\"name\\"?","n":1.0}'));
  });

  it('changes nothing else', () => {
    for (const one of [ask('sampling/createMessage', '{"message":"m"}'), ask('roots/list'), ask('elicitation/create', '{"message":7}')])
      expect(withProvenance(one, 'crm')).toBe(one);
  });

  it('survives the way over the wire', () => {
    const sent = requestOf(`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":${FORM}}`);
    const one = askOf(sent);
    if (one === undefined) throw new Error('no ask');
    expect(JSON.parse(inputRequestText(withProvenance(one, 'crm')))).toMatchObject({ params: { message: '[crm] m' } });
  });
});
