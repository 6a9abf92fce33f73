import pg from 'pg';
import { storageError } from '../errors.ts';
import { valueTypes } from '../values.ts';
import type { Engine } from './engine.ts';

/** The one connection to the embedded database. Statements run one after another, each with a deadline for its caller. */
export class EmbeddedSession {
  readonly #client: pg.Client;
  #statementMs: number;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine, statementMs: number) {
    this.#statementMs = statementMs;
    this.#client = new pg.Client({
      stream: () => engine.stream,
      user: 'postgres',
      database: 'postgres',
      password: '',
      ssl: false,
      types: valueTypes,
    });
    // The engine reports its own death; pending queries reject on their own.
    this.#client.on('error', () => undefined);
  }

  /** The deadline of later statements. */
  limitStatements(ms: number): void {
    this.#statementMs = ms;
  }

  async connect(): Promise<void> {
    await this.#client.connect();
  }

  /** Rejects with PostgreSQL's error, or `storage_timeout`: the statement then still runs. `ended` is called when it really is over. */
  run(text: string, values: readonly unknown[], ended: () => void): Promise<pg.QueryResult<pg.QueryResultRow>> {
    const work = this.#tail.then(() => this.#client.query(text, [...values]));
    this.#tail = work.then(ended, ended);
    return this.#limited(work);
  }

  /** Resolves when nothing runs and no transaction is open any more. */
  async reset(): Promise<void> {
    await this.#tail;
    if (this.#client.getTransactionStatus() === 'I') return;
    this.#tail = this.#client.query('rollback').catch(() => undefined);
    await this.#tail;
  }

  #limited<T>(work: Promise<T>): Promise<T> {
    const ms = this.#statementMs;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(storageError('storage_timeout', `A database statement took longer than ${ms} ms. Ask for less at once.`));
      }, ms);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}
