/** The benchmark's MCP server on standard input and output. */
import { answer } from './upstream-answers.ts';

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  const answers = lines.filter((line) => line !== '').map(answer);
  const out = answers.filter((text) => text !== '').join('\n');
  if (out !== '') process.stdout.write(`${out}\n`);
});
