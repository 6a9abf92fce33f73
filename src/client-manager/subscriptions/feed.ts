import type { Interest } from '../../protocol/index.ts';

/** How a connection is made to tell of what clients follow. */
export interface Feed {
  /** What is wanted has changed; many changes in a row cost one step. */
  changed(): void;
  /** Which of these the server agreed to tell of, as soon as that is known or `listenMs` have passed. Never rejects. */
  honoured(interest: Interest): Promise<Interest>;
  /** True if the server agreed to tell of this resource, and has not forgotten it. Absent where nobody needs to know. */
  tells?(uri: string): boolean;
  /** The server has forgotten what it agreed to. */
  forgotten(): void;
  /** Ends it; nothing is sent to a connection that is over anyway. */
  close(): void;
}

/** What clients want to hear of, now. */
export interface Wanted {
  readonly uris: ReadonlyMap<string, unknown>;
  readonly taskIds: ReadonlyMap<string, unknown>;
}

export const NOTHING: Interest = { uris: [], taskIds: [] };
