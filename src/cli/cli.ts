import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { EXIT, EXIT_HELP } from './failure.ts';

export interface JsonOption {
  readonly json?: true;
}

/** One run of the command: what it touches, and the exit code it comes to. */
export class Cli {
  readonly context: CliContext;
  exitCode: number = EXIT.ok;

  constructor(context: CliContext) {
    this.context = context;
  }

  /** A commander action whose returned number becomes the exit code. */
  run<A extends unknown[]>(act: (...args: A) => Promise<number | void> | number | void): (...args: A) => Promise<void> {
    return async (...args) => {
      this.exitCode = (await act(...args)) ?? EXIT.ok;
    };
  }
}

/** Examples and the exit codes, below the options of `--help`. */
export function withHelp(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ stockpulse ${example}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}\n${EXIT_HELP}`);
}

/** Adds `--json`: stdout then holds one JSON document and nothing else. */
export const withJson = (command: Command): Command => command.option('--json', 'print JSON for programs');
