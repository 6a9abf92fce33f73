import { describe, expect, it } from 'vitest';
import { Registry, NO_LISTS } from '../registry/index.ts';
import { resolveEndpoint, type Endpoint } from './endpoints.ts';
import { ECHO, entryOf, itemsOf, type TestServer } from './testing.ts';
import { Views } from './view.ts';

function viewsOf(...servers: readonly TestServer[]): { registry: Registry; views: Views; at: (server?: string) => Endpoint } {
  const registry = new Registry();
  for (const server of servers) registry.put(entryOf(server));
  return { registry, views: new Views(registry), at: (server) => resolveEndpoint(server, registry) as Endpoint };
}

const prompts = itemsOf('name', [{ name: 'hello', title: 'Hello', icons: [] }]);
const resources = itemsOf('uri', [{ uri: 'file:///x', name: 'x' }]);
const templates = itemsOf('uriTemplate', [{ uriTemplate: 'file:///{path}', name: 'any' }]);
const parsed = (text: string | undefined): unknown => JSON.parse(text ?? '');

describe('a view', () => {
  it('shows prompts, resources and templates of all servers in the words of the endpoint', () => {
    const own = {
      name: 'stockpulse',
      kind: 'stockpulse',
      entry: { prompts, resources: itemsOf('uri', [{ uri: 'stockpulse://q' }]) },
    } as const;
    const { views, at } = viewsOf(
      { name: 'a', entry: { prompts, resources, templates } },
      { name: 'b', entry: { prompts, resources, templates } },
      own,
    );
    const view = views.of(at(), 'modern');
    expect(view.prompts.map(({ id }) => id)).toEqual(['hello', 'a__hello', 'b__hello']);
    expect(view.promptByName.get('b__hello')).toMatchObject({ server: 'b', item: { id: 'hello' } });
    expect(view.resources.map(({ id }) => id)).toEqual(['stockpulse://q', 'file:///x', 'mcp.b+file:///x']);
    expect(view.templates.map(({ id }) => id)).toEqual(['file:///{path}', 'mcp.b+file:///{path}']);
    expect(parsed(view.templates[1]?.modern)).toEqual({ uriTemplate: 'mcp.b+file:///{path}', name: 'any' });
    const alone = views.of(at('b'), 'modern');
    expect([alone.prompts[0]?.modern, alone.resources[0]?.modern]).toEqual([prompts.items[0]?.text, resources.items[0]?.text]);
  });

  it('says them in the words of the revision', () => {
    const { views, at } = viewsOf({ name: 'a', entry: { prompts } });
    const [prompt] = views.of(at(), 'legacy').prompts;
    expect(parsed(prompt?.textFor('2026-07-28'))).toEqual({ name: 'a__hello', title: 'Hello', icons: [] });
    expect(parsed(prompt?.textFor('2024-11-05'))).toEqual({ name: 'a__hello' });
  });

  it('is built once for each version of the catalogue, and knows the states of now', () => {
    const { registry, views, at } = viewsOf({ name: 'a' });
    const view = views.of(at(), 'modern');
    registry.setState('a', { state: 'backing_off', reason: 'no', retryAt: 1 });
    expect(views.of(at(), 'modern')).toBe(view);
    expect(view.servers[0]?.state.state).toBe('backing_off');
    registry.put(entryOf({ name: 'a', tools: [] }));
    expect(views.of(at(), 'modern').tools).toEqual([]);
  });

  it('is another one for the legacy era only where a server shows another catalogue there', () => {
    const { registry, views, at } = viewsOf({ name: 'a' });
    expect(views.of(at(), 'legacy')).toBe(views.of(at(), 'modern'));
    const { tools, facts, toolsCache } = entryOf({ name: 'a', tools: [{ ...ECHO, name: 'asks' }] });
    registry.put(entryOf({ name: 'a', entry: { legacy: { tools, facts, toolsCache, ...NO_LISTS, warnings: [] } } }));
    expect([...views.of(at(), 'legacy').byName.keys()]).toEqual(['a__asks']);
    expect([...views.of(at(), 'modern').byName.keys()]).toEqual(['a__echo']);
  });

  it('shows the first of two prompts of one name', () => {
    const twice = itemsOf('name', [
      { name: 'p', title: '1' },
      { name: 'p', title: '2' },
    ]);
    const { views, at } = viewsOf({ name: 'a', entry: { prompts: twice } });
    expect(views.of(at('a'), 'modern').prompts.map(({ item }) => item.value.title)).toEqual(['1']);
  });
});

describe('MCP Apps', () => {
  const app = { ...ECHO, _meta: { ui: { resourceUri: 'ui://page', visibility: ['app'] }, 'ui/resourceUri': 'ui://page', other: 1 } };

  it('are left to tools that keep their names, with the URI that the endpoint shows', () => {
    const { views, at } = viewsOf({ name: 'stockpulse', kind: 'stockpulse', tools: [app] }, { name: 'first', tools: [app] });
    const view = views.of(at(), 'modern');
    expect(view.apps).toBe(true);
    expect(parsed(view.byName.get('echo')?.modern)).toMatchObject({
      name: 'echo',
      _meta: {
        ui: { resourceUri: 'mcp.stockpulse+ui://page', visibility: ['app'] },
        'ui/resourceUri': 'mcp.stockpulse+ui://page',
        other: 1,
      },
    });
    expect(parsed(view.byName.get('first__echo')?.modern)).toMatchObject({ name: 'first__echo', _meta: { other: 1 } });
    expect(view.byName.get('first__echo')?.modern).not.toContain('ui:');
    expect(views.of(at('first'), 'modern').tools[0]?.modern).toBe(JSON.stringify(app));
  });

  it('leave no empty _meta behind, and none is declared where none is left', () => {
    const { views, at } = viewsOf({ name: 'first', tools: [{ ...ECHO, _meta: { ui: { resourceUri: 'ui://page' } } }] });
    const view = views.of(at(), 'modern');
    expect(parsed(view.tools[0]?.modern)).toEqual({ ...ECHO, name: 'first__echo' });
    expect(view.apps).toBe(false);
  });

  it('no endpoint offers the tasks of 2025-11-25', () => {
    const { views, at } = viewsOf({ name: 'a', tools: [{ ...ECHO, execution: { taskSupport: 'optional' } }] });
    expect(parsed(views.of(at('a'), 'modern').tools[0]?.modern)).toEqual(ECHO);
    expect(parsed(views.of(at('a'), 'legacy').tools[0]?.textFor('2025-11-25'))).toEqual(ECHO);
  });
});
