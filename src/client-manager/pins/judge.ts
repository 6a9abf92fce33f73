import type { JsonObject } from '../../protocol/index.ts';
import { fingerprint } from './fingerprint.ts';

/** What was accepted of one tool. */
export interface Pin {
  readonly fingerprint: string;
  readonly definition: JsonObject;
}

/** `strict`: what changed waits for acceptance. `warn`: it is shown, and said. `off`: nothing is pinned. */
export type PinPolicy = 'strict' | 'warn' | 'off';

/** What becomes of a tool that a server shows. */
export interface Verdict {
  readonly name: string;
  /** `pinned` is as accepted; `first` is accepted now, as nothing of that name was before. */
  readonly state: 'pinned' | 'first' | 'changed';
  /** True for one that nobody sees or calls until it is accepted. */
  readonly withheld: boolean;
}

/**
 * Compares what a server shows with what was accepted of it. A definition is trusted on first use, as the configuration file names its server
 * (DESIGN 6); from then on it may not change unnoticed.
 */
export function judge(pins: ReadonlyMap<string, Pin>, definitions: readonly JsonObject[], policy: PinPolicy): readonly Verdict[] {
  return definitions.map((definition) => {
    const name = String(definition.name);
    if (policy === 'off') return { name, state: 'first', withheld: false };
    const pin = pins.get(name);
    if (pin === undefined) return { name, state: 'first', withheld: false };
    if (pin.fingerprint === fingerprint(definition)) return { name, state: 'pinned', withheld: false };
    return { name, state: 'changed', withheld: policy === 'strict' };
  });
}
