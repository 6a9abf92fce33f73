import type { ServerDetail, ServerView } from '../contract/index.ts';
import type { Catalogue, ServerEntry } from '../registry/index.ts';

const iso = (time: number): string => new Date(time).toISOString();

function stateFacts({ state }: ServerEntry): Pick<ServerView, 'state' | 'since' | 'reason' | 'retryAt'> {
  switch (state.state) {
    case 'ready':
      return { state: 'ready', since: iso(state.since) };
    case 'backing_off':
      return { state: 'backing_off', reason: state.reason, retryAt: iso(state.retryAt) };
    case 'connecting':
      return { state: 'connecting', ...(state.reason === undefined ? {} : { reason: state.reason }) };
    case 'stopped':
      return { state: 'stopped' };
  }
}

function infoOf({ facts }: ServerEntry): Pick<ServerView, 'info'> {
  if (facts.info === undefined) return {};
  const { name, version, title } = facts.info;
  return { info: { name, version, ...(title === undefined ? {} : { title }) } };
}

type Counts = Pick<ServerView, 'tools' | 'prompts' | 'resources' | 'templates'>;

const countsOf = ({ tools, prompts, resources, templates }: Catalogue): Counts => ({
  tools: tools.length,
  prompts: prompts.items.length,
  resources: resources.items.length,
  templates: templates.items.length,
});

/** A server of the registry as the management API shows it. */
export function serverView(entry: ServerEntry): ServerView {
  return {
    name: entry.name,
    kind: entry.kind,
    transport: entry.transport,
    endpoint: `/mcp/${entry.name}`,
    ...stateFacts(entry),
    eras: [...entry.eras],
    ...countsOf(entry),
    warnings: [...entry.warnings],
    ...infoOf(entry),
  };
}

/** The same in full. */
export function serverDetail(entry: ServerEntry, waiting: ServerDetail['waiting'] = []): ServerDetail {
  const { instructions, capabilities } = entry.facts;
  return {
    ...serverView(entry),
    waiting,
    ...(instructions === undefined ? {} : { instructions }),
    capabilities: { ...capabilities },
    toolNames: entry.tools.map((tool) => tool.definition.name),
    ...(entry.legacy === undefined ? {} : { legacy: countsOf(entry.legacy) }),
  };
}
