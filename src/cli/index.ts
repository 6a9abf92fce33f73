export type { AppPort, Gateway, Owner, StartOptions } from './app-port.ts';
export type { CliContext } from './context.ts';
export { runCli } from './program.ts';
