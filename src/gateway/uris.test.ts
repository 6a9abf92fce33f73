import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, type JsonObject, type JsonText } from '../protocol/index.ts';
import { Registry } from '../registry/index.ts';
import { resolveEndpoint, type Endpoint } from './endpoints.ts';
import { entryOf } from './testing.ts';
import { resolveUri, wrapResultUris, wrapUri } from './uris.ts';

const NAMES = ['first', 'second', 'a-b', '7'] as const;

function catalogue(upstreams: readonly string[] = NAMES): { registry: Registry; joined: Endpoint; at: (server: string) => Endpoint } {
  const registry = new Registry();
  registry.put(entryOf({ name: 'stockpulse', kind: 'stockpulse' }));
  for (const name of upstreams) registry.put(entryOf({ name }));
  const at = (server?: string): Endpoint => resolveEndpoint(server, registry) as Endpoint;
  return { registry, joined: at(), at };
}

const server = fc.constantFrom('stockpulse', ...NAMES);
/** URIs as servers write them, and as one would write them that wants to be taken for another. */
const uri = fc.oneof(
  fc.webUrl(),
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc
    .array(
      fc.constantFrom('mcp.', 'MCP.', 'first', 'second', 'nobody', '+', 'stockpulse:', 'StockPulse:', 'file:///x', '{id}', '/', '\n'),
      {
        maxLength: 8,
      },
    )
    .map((parts) => parts.join('')),
);

describe('URIs on /mcp', () => {
  it('stay bare for the first upstream and for the scheme of StockPulse, and name their server elsewhere', () => {
    const { registry, joined } = catalogue();
    const shown = (name: string, of: string): string => wrapUri(joined, name, of, registry);
    expect(shown('first', 'file:///x')).toBe('file:///x');
    expect(shown('second', 'file:///x')).toBe('mcp.second+file:///x');
    expect(shown('second', 'file:///{path}')).toBe('mcp.second+file:///{path}');
    expect(shown('stockpulse', 'stockpulse://quotes')).toBe('stockpulse://quotes');
    expect(shown('stockpulse', 'ui://chart')).toBe('mcp.stockpulse+ui://chart');
    expect(shown('first', 'STOCKPULSE://quotes')).toBe('mcp.first+STOCKPULSE://quotes');
    expect(shown('first', 'mcp.second+file:///x')).toBe('mcp.first+mcp.second+file:///x');
    expect(shown('first', 'mcp.{server}+file:///x')).toBe('mcp.first+mcp.{server}+file:///x');
  });

  it('mean nothing that is never shown', () => {
    const { registry, joined } = catalogue();
    for (const foreign of ['mcp.nobody+file:///x', 'mcp.first+file:///x', 'MCP.second+file:///x', 'mcp.x', 'mcp.stockpulse+stockpulse:x'])
      expect(resolveUri(joined, foreign, registry)).toBeUndefined();
    const alone = catalogue([]);
    expect(resolveUri(alone.joined, 'file:///x', alone.registry)).toBeUndefined();
    expect(resolveUri(alone.joined, 'stockpulse:x', alone.registry)).toEqual({ server: 'stockpulse', uri: 'stockpulse:x' });
  });

  it('are one to one with the URIs of the servers', () => {
    const { registry, joined } = catalogue();
    fc.assert(
      fc.property(server, uri, (name, own) => {
        const shown = wrapUri(joined, name, own, registry);
        expect(resolveUri(joined, shown, registry)).toEqual({ server: name, uri: own });
      }),
    );
    fc.assert(
      fc.property(uri, (shown) => {
        const meant = resolveUri(joined, shown, registry);
        if (meant !== undefined) expect(wrapUri(joined, meant.server, meant.uri, registry)).toBe(shown);
      }),
    );
  });

  it('are valid URIs again, and go on matching as templates', () => {
    const { registry, joined } = catalogue();
    expect(URL.canParse(wrapUri(joined, 'a-b', 'https://x.test/y', registry))).toBe(true);
    fc.assert(
      fc.property(server, fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/), fc.stringMatching(/^[a-z0-9/]{0,9}$/), (name, scheme, path) => {
        const template = wrapUri(joined, name, `${scheme}://{path}`, registry);
        const expanded = template.replace('{path}', path);
        expect(resolveUri(joined, expanded, registry)).toEqual({ server: name, uri: `${scheme}://${path}` });
      }),
    );
  });

  it('do not depend on which servers can be reached, or on the order in which they come back', () => {
    const { registry, joined } = catalogue();
    const before = NAMES.map((name) => wrapUri(joined, name, 'file:///x', registry));
    registry.setState('first', { state: 'backing_off', reason: 'gone', retryAt: 1 });
    registry.put(entryOf({ name: 'second' }));
    registry.put(entryOf({ name: 'first', tools: [] }));
    expect(NAMES.map((name) => wrapUri(joined, name, 'file:///x', registry))).toEqual(before);
    registry.put(entryOf({ name: 'third' }));
    expect(resolveUri(joined, 'mcp.third+x:', registry)).toEqual({ server: 'third', uri: 'x:' });
  });

  it('are untouched on the endpoint of one server', () => {
    const { registry, at } = catalogue();
    for (const own of ['mcp.second+x:', 'stockpulse:x', 'file:///x']) {
      expect(wrapUri(at('second'), 'second', own, registry)).toBe(own);
      expect(resolveUri(at('second'), own, registry)).toEqual({ server: 'second', uri: own });
    }
  });
});

describe('URIs in results', () => {
  const { registry, joined, at } = catalogue();
  const shown = (method: string, result: JsonText, name = 'second', endpoint = joined): JsonText =>
    wrapResultUris(endpoint, name, method, result, registry);
  const shownValue = (method: string, result: JsonObject): unknown => shown(method, jsonText(result)).value;
  const link = (uri: string): JsonObject => ({ type: 'resource_link', name: 'l', uri });
  const embedded = (uri: string): JsonObject => ({ type: 'resource', resource: { uri, text: 't' } });
  const text = { type: 'text', text: 'mcp file:///x', uri: 'file:///no' };

  it('are wrapped in contents, links, embedded resources and finished tasks', () => {
    expect(shownValue('resources/read', { contents: [{ uri: 'a:1', text: '' }, { uri: 'a:2' }] })).toEqual({
      contents: [{ uri: 'mcp.second+a:1', text: '' }, { uri: 'mcp.second+a:2' }],
    });
    const content = [text, link('a:1'), embedded('a:2')];
    const wrapped = [text, link('mcp.second+a:1'), embedded('mcp.second+a:2')];
    expect(shownValue('tools/call', { content, isError: false })).toEqual({ content: wrapped, isError: false });
    expect(shownValue('prompts/get', { messages: content.map((block) => ({ role: 'user', content: block })) })).toEqual({
      messages: wrapped.map((block) => ({ role: 'user', content: block })),
    });
    expect(shownValue('tasks/get', { taskId: 't', result: { content } })).toEqual({ taskId: 't', result: { content: wrapped } });
    expect(shownValue('notifications/resources/updated', { uri: 'a:1' })).toEqual({ uri: 'mcp.second+a:1' });
  });

  it('say the same in text and value, and leave every other byte alone', () => {
    const result = { text: '{ "n":1.0, "content" : [ {"type":"text","text":"\\u00e9"} , { "uri":"a:1","type":"resource_link" } ] }' };
    const wrapped = shown('tools/call', { ...result, value: JSON.parse(result.text) as JsonObject });
    expect(wrapped.text).toBe('{"n":1.0,"content" : [{"type":"text","text":"\\u00e9"},{"uri":"mcp.second+a:1","type":"resource_link"}]}');
    expect(wrapped.value).toEqual(JSON.parse(wrapped.text));
  });

  it('are the same object where nothing changes', () => {
    const result = jsonText({ content: [text, link('a:1')] });
    expect(shown('tools/call', result, 'first')).toBe(result);
    expect(shown('tools/call', result, 'second', at('second'))).toBe(result);
    expect(shown('completion/complete', result)).toBe(result);
    const plain = jsonText({ content: [text], structuredContent: { uri: 'a:1' } });
    expect(shown('tools/call', plain)).toBe(plain);
  });

  it('break over nothing that a server may send', () => {
    const odd = fc.dictionary(
      fc.constantFrom('content', 'contents', 'messages', 'result', 'uri', 'type', 'resource', 'x'),
      fc.oneof(
        fc.jsonValue(),
        fc.array(fc.record({ type: fc.constantFrom('resource', 'resource_link'), uri: fc.jsonValue(), resource: fc.jsonValue() })),
      ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('tools/call', 'resources/read', 'prompts/get', 'tasks/get', 'notifications/resources/updated'),
        odd,
        (method, made) => {
          const value = JSON.parse(JSON.stringify(made)) as JsonObject;
          const wrapped = shown(method, jsonText(value));
          expect(wrapped.value).toEqual(JSON.parse(wrapped.text));
        },
      ),
    );
  });
});
