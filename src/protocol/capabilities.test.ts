import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elicitationModes, lacking, mayRelay, missingCapability, TASKS_EXTENSION, UI_EXTENSION } from './capabilities.ts';
import type { JsonObject } from './meta.ts';
import { objectSource, runs, textOf } from './test-support.ts';

describe('missingCapability (S26 basic, "Error Codes")', () => {
  it('names what is missing, as an object of capabilities', () => {
    expect(missingCapability({ sampling: {} })).toEqual({
      code: -32021,
      message: 'Missing required client capability: sampling.',
      data: { requiredCapabilities: { sampling: {} } },
    });
    expect(missingCapability({ extensions: { [TASKS_EXTENSION]: {} }, elicitation: { url: {} } }).message).toContain(
      'extensions.io.modelcontextprotocol/tasks, elicitation.url',
    );
  });

  it('does not repeat names of any length', () => {
    expect(missingCapability({ ['x'.repeat(10_000)]: {} }).message.length).toBeLessThan(500);
  });
});

describe('lacking', () => {
  it.each<[JsonObject, JsonObject, JsonObject | undefined]>([
    [{}, {}, undefined],
    [{ sampling: {} }, {}, { sampling: {} }],
    [{ sampling: {} }, { sampling: { tools: {} } }, undefined],
    [{ sampling: { tools: {} } }, { sampling: {} }, { sampling: { tools: {} } }],
    [{ sampling: {} }, { sampling: true }, { sampling: {} }],
    [{ elicitation: {} }, { elicitation: {} }, undefined],
    [{ elicitation: { form: {} } }, { elicitation: {} }, undefined],
    [{ elicitation: {} }, { elicitation: { form: {} } }, undefined],
    [{ elicitation: {} }, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    [{ elicitation: { url: {} } }, { elicitation: {} }, { elicitation: { url: {} } }],
    [{ elicitation: { form: {}, url: {} } }, { elicitation: { form: {} } }, { elicitation: { url: {} } }],
    [{ roots: { listChanged: true } }, { roots: {} }, { roots: { listChanged: true } }],
    [{ roots: { listChanged: false } }, { roots: {} }, undefined],
    [{ extensions: { a: {}, b: {} } }, { extensions: { a: {} } }, { extensions: { b: {} } }],
    [{ extensions: { a: { mimeTypes: ['x'] } } }, { extensions: { a: {} } }, { extensions: { a: { mimeTypes: ['x'] } } }],
    [{ constructor: {} }, {}, { constructor: {} }],
  ])('of %j a client with %j lacks %j', (required, declared, expected) => {
    expect(lacking(required, declared)).toEqual(expected);
  });

  it('nobody lacks what he declares, and what is lacking is required', () => {
    fc.assert(
      fc.property(objectSource(), objectSource(), (a, b) => {
        const required = textOf(a).value;
        expect(lacking(required, textOf(a).value)).toBeUndefined();
        const missing = lacking(required, textOf(b).value);
        if (missing !== undefined) for (const name of Object.keys(missing)) expect(Object.hasOwn(required, name)).toBe(true);
      }),
      runs(300),
    );
  });
});

describe('elicitationModes (S26 elicitation, "Capabilities"; PROTOCOL B)', () => {
  it.each<[JsonObject, boolean, boolean]>([
    [{}, true, false],
    [{ form: {} }, true, false],
    [{ url: {} }, false, true],
    [{ form: {}, url: {} }, true, true],
    [{ applyDefaults: true }, true, false],
    [{ url: true }, true, false],
  ])('%j', (elicitation, form, url) => {
    expect(elicitationModes(elicitation)).toEqual({ form, url });
  });
});

describe('mayRelay (PROTOCOL A14, C9)', () => {
  it('on an endpoint of one server everything is relayed, as it is', () => {
    const all = textOf('{"experimental":{"x":{}},"extensions":{"com.example/y":{}}}');
    expect(mayRelay(all, true)).toBe(all);
  });

  it('elsewhere only what we can relay', () => {
    const all = `{ "experimental":{"x":{}}, "elicitation" : {"form":{ "n":1.0 }}, "extensions":{"com.example/y":{}, "${TASKS_EXTENSION}":{ "a":1.0 },"${UI_EXTENSION}":{}},"tasks":{} }`;
    const made = mayRelay(textOf(all), false);
    expect(made.text).toBe(`{"elicitation" : {"form":{ "n":1.0 }},"extensions":{"${TASKS_EXTENSION}":{ "a":1.0 },"${UI_EXTENSION}":{}}}`);
    expect(made.value).toEqual(JSON.parse(made.text));
  });

  it.each(['{}', '{"sampling":{"tools":{}},"roots":{}}', '{"extensions":{ }}', `{"extensions":{"${UI_EXTENSION}":{}}}`])(
    '%s stays the same object',
    (text) => {
      const all = textOf(text);
      expect(mayRelay(all, false)).toBe(all);
    },
  );

  it.each(['{"extensions":{"com.example/y":{}}}', '{"extensions":[]}', '{"extensions":null}', '{"toString":{}}'])(
    '%s becomes {}',
    (text) => {
      expect(mayRelay(textOf(text), false).text).toBe('{}');
    },
  );

  it('takes very many foreign ones off', () => {
    const many = Array.from({ length: 200_000 }, (_, i) => `"k${i}":{}`).join(',');
    expect(mayRelay(textOf(`{${many},"roots":{},"extensions":{${many}}}`), false).text).toBe('{"roots":{}}');
  });

  it('never throws, and its text says what its value says', () => {
    fc.assert(
      fc.property(objectSource(), (text) => {
        const made = mayRelay(textOf(text), false);
        expect(JSON.parse(made.text)).toEqual(made.value);
      }),
      runs(200),
    );
  });
});
