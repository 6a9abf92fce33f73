import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { AppError, withDeadline } from '../../shared/index.ts';
import type { Backend } from '../backend.ts';
import { closedError, storageError } from '../errors.ts';
import type { StorageLimits } from '../limits.ts';
import { startEngine, type Engine } from './engine.ts';
import type { EngineStart } from './messages.ts';
import { inspectFolder } from './folder.ts';
import { EmbeddedSession } from './session.ts';
import { TurnQueue, type Turn } from './turns.ts';

export interface EmbeddedOptions {
  readonly dataDir: string;
  readonly limits: StorageLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onFault: (error: Error) => void;
}

/** A turn on the connection, in the shape of a pooled client. */
class TurnClient implements PostgresPoolClient {
  readonly #turn: Turn;
  readonly #session: EmbeddedSession;

  constructor(turn: Turn, session: EmbeddedSession) {
    this.#turn = turn;
    this.#session = session;
  }

  query<R>(statement: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    statement: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof statement !== 'string') throw new TypeError('The embedded database has no cursors: page with limit and a key.');
    return this.#run<R>(statement, parameters);
  }

  release(): void {
    // An expired turn was rolled back and passed on: the connection is somebody else's by now.
    if (this.#turn.expired) return;
    const end = (): void => this.#turn.end();
    void this.#session.reset().then(end, end);
  }

  async #run<R>(statement: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    if (this.#turn.expired) {
      throw storageError(
        'storage_transaction_expired',
        'The transaction was rolled back because it sent nothing for too long. Start it again.',
      );
    }
    this.#turn.statementStarted(statement);
    const result = await this.#session.run(statement, parameters, () => this.#turn.statementEnded());
    return result as unknown as PostgresQueryResult<R>;
  }
}

/** The embedded database. It opens with the deadline of migrations for each statement, until that is lowered. */
export interface EmbeddedBackend extends Backend {
  limitStatements(ms: number): void;
}

/** Opens (or makes) the embedded database. The caller owns the data folder. */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedBackend> {
  const { limits, onFault } = options;
  const engine = await openEngine(options);
  try {
    const session = new EmbeddedSession(engine, limits.migrationMs);
    await withDeadline(session.connect(), limits.openMs, 'Connecting to the embedded database');
    const turns = new TurnQueue(limits, () => session.reset());
    engine.onFailure((error) => {
      turns.close(error);
      onFault(error);
    });
    return {
      kind: 'pglite',
      pool: toPool(session, turns),
      close: (ms) => closeAll(engine, turns, ms),
      limitStatements: (ms) => session.limitStatements(ms),
    };
  } catch (error) {
    await engine.close(limits.closeMs);
    throw error;
  }
}

/**
 * The engine on the folder as it is. One that gives up while it opens is tried once more, in a new thread: after a kill in mid-start the
 * first attempt was seen to fail, once in some hundred, on a folder that opened afterwards. The first failure is reported all the same.
 */
async function openEngine({ dataDir, limits, signal, onFault }: EmbeddedOptions): Promise<Engine> {
  const start = (): Promise<Engine> => startWithin(inspectFolder(dataDir), limits.openMs, signal);
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'storage_failed' || error.cause === undefined) throw error;
    onFault(error);
    return start();
  }
}

async function startWithin(start: EngineStart, ms: number, signal: AbortSignal | undefined): Promise<Engine> {
  const deadline = AbortSignal.timeout(ms);
  try {
    return await startEngine(start, signal ? AbortSignal.any([signal, deadline]) : deadline);
  } catch (error) {
    if (!deadline.aborted || error !== deadline.reason) throw error;
    throw storageError(
      'storage_failed',
      `The embedded database did not open within ${ms / 1000} s. Start again when the machine is less busy.`,
    );
  }
}

function toPool(session: EmbeddedSession, turns: TurnQueue): PostgresPool {
  return {
    options: {},
    connect: async () => new TurnClient(await turns.take(), session),
    end: () => Promise.resolve(),
  };
}

async function closeAll(engine: Engine, turns: TurnQueue, ms: number): Promise<void> {
  turns.close(closedError());
  await withDeadline(turns.drained(), ms, 'Finishing statements').catch(() => undefined);
  await engine.close(ms);
}
