/** The benchmark's MCP server on standard input and output; of the legacy era with the argument `legacy`. */
import { answerIn } from './upstream-answers.ts';

const answer = answerIn(process.argv[2] === 'legacy' ? 'legacy' : 'modern');

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  const answers = lines.filter((line) => line !== '').map(answer);
  const out = answers.filter((text) => text !== '').join('\n');
  if (out !== '') process.stdout.write(`${out}\n`);
});
