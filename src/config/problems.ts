import { AppError } from '../shared/index.ts';

/** One thing that is wrong with the configuration. `line` and `column` count from 1 and are absent for environment variables. */
export interface Problem {
  /** The file's path, or `environment variable NAME`. */
  readonly source: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the setting; empty for the document itself. */
  readonly path: string;
  /** Says what is wrong and what to do. Never holds a secret's value. */
  readonly message: string;
}

export const MAX_PROBLEMS = 10;

/** `file:line:column  path: message`. */
export function problemText(problem: Problem): string {
  const place = problem.line === undefined ? problem.source : `${problem.source}:${problem.line}:${problem.column ?? 1}`;
  return problem.path === '' ? `${place}  ${problem.message}` : `${place}  ${problem.path}: ${problem.message}`;
}

function summary(problems: readonly Problem[], total: number): string {
  const lines = problems.map((problem) => `  ${problemText(problem)}`);
  if (total > problems.length) lines.push(`  ... and ${total - problems.length} more`);
  const count = total === 1 ? 'a problem' : `${total} problems`;
  return `The configuration has ${count}:\n${lines.join('\n')}`;
}

/** The configuration cannot be used: code `config_invalid`; at most ten problems, in the order of the file. */
export class ConfigError extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const sorted = problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    const shown = sorted.slice(0, MAX_PROBLEMS);
    super('config_invalid', summary(shown, sorted.length));
    this.name = 'ConfigError';
    this.problems = shown;
  }
}
