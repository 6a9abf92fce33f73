import type { Era } from '../protocol/index.ts';
import type { ListName } from '../registry/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import { EraWatch } from './era-watch.ts';
import { mayHaveLegacySide, type Doubt } from './eras.ts';
import type { OwnEvent } from './events.ts';
import { Side, type SideOptions } from './side.ts';

export interface SecondOptions extends Pick<
  SideOptions,
  'config' | 'clock' | 'gateway' | 'limits' | 'records' | 'failures' | 'followed' | 'emit' | 'asked'
> {
  readonly main: Side;
  /** The side came, went, or shows something else. */
  readonly onChange: (announced: readonly ListName[]) => void;
}

/**
 * The legacy side of a server that is modern in the first place (PROTOCOL A1). While it cannot be had its callers are served by the main
 * side, in translation; it is tried again, less and less often.
 */
export class Second {
  readonly #options: SecondOptions;
  readonly #eraWatch: EraWatch;
  #side: Side | undefined;
  /** It has worked before: then it is worth waiting for. */
  #known = false;
  #ending: Promise<unknown> = Promise.resolve();

  constructor(options: SecondOptions) {
    this.#options = options;
    this.#eraWatch = new EraWatch({ ...options, side: 'second' });
  }

  /** The side if it can be used now, or in a moment. */
  get side(): Side | undefined {
    const side = this.#side;
    if (side === undefined) return undefined;
    return side.link.connection !== undefined || (this.#known && side.link.state.state === 'connecting') ? side : undefined;
  }

  /** Whether a server of this connection may have a legacy side that keeps state between requests. */
  mayBe(connection: Connection): boolean {
    return mayHaveLegacySide(this.#options.config, connection);
  }

  /** Tries it now, if it is not there already. Resolves when the attempt has ended; never rejects. */
  start(): Promise<void> {
    this.#side ??= this.#make();
    const { link } = this.#side;
    return link.state.state === 'backing_off' ? link.restart() : link.start();
  }

  /** The server refuses what one with such a side does not: resolves true if it has none any more. Never rejects. */
  doubt(era: Era, doubt: Doubt): Promise<boolean> {
    return this.#eraWatch.doubt(era, doubt);
  }

  /** The server has no such side any more. */
  end(): void {
    const side = this.#side;
    if (side === undefined) return;
    this.#side = undefined;
    this.#known = false;
    side.follower.handTo(this.#options.main.follower);
    this.#ending = Promise.all([this.#ending, side.stop()]);
  }

  async stop(): Promise<void> {
    this.end();
    await this.#ending;
  }

  #make(): Side {
    const { limits, emit, main, onChange } = this.#options;
    const side: Side = new Side({
      ...this.#options,
      limits: { ...limits, waitMs: Math.min(limits.waitMs, limits.secondMs) },
      era: 'legacy',
      // A server that refuses is not asked all the time: most modern ones never will have a second era.
      backoff: { firstMs: limits.renewMs, maxMs: limits.verdictMs },
      emit: (event) => {
        if (this.#known || !isFailure(event)) emit(event);
      },
      check: ({ stateful }) => {
        if (!stateful) throw new ConnectError('it speaks the legacy revisions without sessions');
      },
      outdated: (connection, signal) => this.#eraWatch.outdated(connection, signal),
      onUp: () => {
        if (this.#side !== side) return;
        this.#known = true;
        main.follower.handTo(side.follower, 'legacy');
        onChange([]);
      },
      onState: ({ state }) => {
        if (this.#side !== side || state !== 'backing_off') return;
        side.follower.handTo(main.follower);
        onChange([]);
      },
      onRead: (announced) => {
        if (this.#side === side) onChange(announced);
      },
      onRefused: (era, doubt) => this.doubt(era, doubt),
    });
    return side;
  }
}

const isFailure = ({ kind }: OwnEvent): boolean => kind === 'connect_failed';
