import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = (name: string): string => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));

/** Logs 10 MB to standard error while timers count, then closes the log and exits. */
const PROGRAM = `
  import { Log } from ${source('log.ts')};
  import { Redactor } from ${source('redact.ts')};
  const log = new Log({ level: 'info', calls: true, redactor: new Redactor([]) });
  let turns = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 2500; i++) log.event('info', 'noise', { text: 'x'.repeat(400) });
    if (++turns < 10) return;
    clearInterval(timer);
    log.close().then(() => { console.log('closed'); process.exit(0); });
  }, 100);
`;

it('goes on and ends while nobody reads its standard error', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString('utf8')));
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(said).toContain('closed');
  } finally {
    child.kill('SIGKILL');
  }
});
