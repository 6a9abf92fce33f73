import type { Era, Implementation, JsonObject } from '../../protocol/index.ts';
import type { EgressGuard } from '../../security/index.ts';
import type { AskEra } from '../eras.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { HttpConfig } from '../types.ts';

/** What connecting to a server at a url takes, over any of the transports that have one. */
export interface HttpConnectOptions {
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: HttpConfig;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly gateway: Implementation;
  readonly emit: Emit;
  readonly era: 'auto' | Era;
  readonly offers?: JsonObject | undefined;
  readonly onRefused?: AskEra | undefined;
  /** True if the offers are a client's; also unless it is given. */
  readonly asked?: boolean | undefined;
}
