import { describe, expect, it } from 'vitest';
import { serverFacts, verdictOf } from './discover.ts';
import { decodeMessage, type ResponseMessage } from './envelope.ts';
import { META } from './meta.ts';

function answer(member: 'result' | 'error', value: unknown): ResponseMessage {
  const message = decodeMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, [member]: value }));
  if (message.kind !== 'response') throw new Error(message.kind);
  return message;
}

const unsupported = (data: unknown) => answer('error', { code: -32022, message: 'x', data });

describe('verdictOf (S26 versioning, "Backward Compatibility"; PROTOCOL A9)', () => {
  it.each([
    [
      'a discover result',
      answer('result', { supportedVersions: ['2025-11-25', '2026-07-28'], capabilities: { tools: {} } }),
      { era: 'modern', revision: '2026-07-28' },
    ],
    ['one without versions', answer('result', { capabilities: {} }), { era: 'legacy' }],
    ['one whose versions are no list', answer('result', { supportedVersions: '2026-07-28' }), { era: 'legacy' }],
    ['one of legacy revisions only', answer('result', { supportedVersions: ['2025-06-18'] }), { era: 'legacy' }],
    [
      'one of revisions unknown to us',
      answer('result', { supportedVersions: ['2030-01-01', 7, null] }),
      { era: 'incompatible', supported: ['2030-01-01', 7, null] },
    ],
    ['one of no revisions', answer('result', { supportedVersions: [] }), { era: 'incompatible', supported: [] }],
    ['-32022 that lists ours', unsupported({ supported: ['2030-01-01', '2026-07-28'] }), { era: 'retry', revision: '2026-07-28' }],
    ['-32022 that lists legacy ones', unsupported({ supported: ['2030-01-01', '2025-11-25'] }), { era: 'legacy' }],
    ['-32022 that lists none of ours', unsupported({ supported: ['2030-01-01'] }), { era: 'incompatible', supported: ['2030-01-01'] }],
    ['-32022 without a list', unsupported(undefined), { era: 'incompatible', supported: [] }],
    ['-32022 with a list that is none', unsupported({ supported: '2026-07-28' }), { era: 'incompatible', supported: [] }],
    ['-32020', answer('error', { code: -32020, message: 'x', data: { supported: ['2026-07-28'] } }), { era: 'incompatible' }],
    ['-32021', answer('error', { code: -32021, message: 'x' }), { era: 'incompatible' }],
    ['method not found', answer('error', { code: -32601, message: 'x' }), { era: 'legacy' }],
    ['not initialized', answer('error', { code: -32000, message: 'x' }), { era: 'legacy' }],
    ['invalid params', answer('error', { code: -32602, message: 'x' }), { era: 'legacy' }],
    ['a code of its own', answer('error', { code: 42, message: 'x' }), { era: 'legacy' }],
  ])('%s', (_what, response, verdict) => {
    expect(verdictOf(response)).toMatchObject(verdict);
  });
});

describe('serverFacts', () => {
  it('reads a discover result and an initialize result', () => {
    const info = { name: 's', version: '1', title: 'S' };
    const facts = { info, capabilities: { tools: {} }, instructions: 'do' };
    expect(serverFacts({ _meta: { [META.serverInfo]: info }, capabilities: { tools: {} }, instructions: 'do' })).toEqual(facts);
    expect(serverFacts({ serverInfo: info, capabilities: { tools: {} }, instructions: 'do' })).toEqual(facts);
  });

  it.each([
    [{}],
    [{ serverInfo: 'x', capabilities: [], instructions: 7 }],
    [{ serverInfo: { version: '1' }, _meta: 7 }],
    [{ serverInfo: null }],
  ])('takes nothing from %j', (result) => {
    expect(serverFacts(result)).toEqual({ info: undefined, capabilities: {}, instructions: undefined });
  });

  it('a name is enough', () => {
    expect(serverFacts({ serverInfo: { name: 's', version: 7 } }).info).toEqual({ name: 's', version: '' });
  });
});
