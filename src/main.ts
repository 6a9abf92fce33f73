/** Process entry: hands the process to the command and ends with its exit code. */
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runCli, type AppPort, type CliContext } from './cli/index.ts';

// V8 would otherwise place the objects of calls in the old generation at once, where dead ones keep young ones alive (docs/decisions/0006-pretenuring.md).
setFlagsFromString('--no-allocation-site-pretenuring');

const FLUSH_MS = 2000;

/** A reader that went away (`| head`, a closed terminal) is no reason to crash. */
function ignoreBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
}

/** Waits until what was printed has left; a reader that stopped reading is not waited for. */
async function flush(): Promise<void> {
  const written = [process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done())));
  const patience = new Promise<void>((done) => setTimeout(done, FLUSH_MS).unref());
  await Promise.race([Promise.all(written), patience]);
}

const context: CliContext = {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  node: process.execPath,
  script: fileURLToPath(new URL('../bin/stockpulse.js', import.meta.url)),
  nodeVersion: process.version,
  loadApp: async (): Promise<AppPort> => import('./app.ts'),
  exit: (code) => process.exit(code),
};

ignoreBrokenPipes();
const code = await runCli(process.argv.slice(2), context);
await flush();
process.exit(code);
