/** A duty of the specification, in our words. */
export interface Requirement {
  readonly id: string;
  /** `page#section`; S26 is revision 2026-07-28, S25 is 2025-11-25. */
  readonly source: string;
  /** Which of our two roles it binds: the server that clients see, or the client that servers see. */
  readonly side: 'server' | 'client';
  readonly behaviour: string;
  /** Why it binds a role that we do not play, or something that we do not do. */
  readonly notOurs?: string;
}
