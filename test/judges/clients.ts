import type { Judges } from '../support/judge-port.ts';
import { inspector } from './inspector.ts';
import { v1Http, v1Stdio } from './sdk-v1.ts';
import { v2Http, v2Stdio } from './sdk-v2.ts';

/** Every client that the end-to-end tests drive. The names stand in test/support/judges.ts too, where vitest needs them before loading. */
export const judges: Judges = {
  http: {
    'SDK v2 modern': (target) => v2Http(target, { pin: '2026-07-28' }),
    'SDK v2 auto': (target) => v2Http(target, 'auto'),
    'SDK v2 legacy': (target) => v2Http(target, 'legacy'),
    'SDK v1': v1Http,
    'Inspector legacy': (target) => Promise.resolve(inspector(target, 'legacy')),
    'Inspector auto': (target) => Promise.resolve(inspector(target, 'auto')),
    'Inspector modern': (target) => Promise.resolve(inspector(target, 'modern')),
  },
  stdio: {
    'SDK v2 modern': (target) => v2Stdio(target, { pin: '2026-07-28' }),
    'SDK v2 auto': (target) => v2Stdio(target, 'auto'),
    'SDK v2 legacy': (target) => v2Stdio(target, 'legacy'),
    'SDK v1': v1Stdio,
  },
};
