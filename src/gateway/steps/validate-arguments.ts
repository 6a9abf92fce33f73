import { describeViolations } from '../../protocol/index.ts';
import type { Step } from '../frame.ts';

/** The arguments against the tool's inputSchema. A schema that cannot be used is said in the record (PROTOCOL A7). */
export const validateArguments: Step = (frame) => {
  const { exposed } = frame;
  const check = exposed?.tool.arguments();
  if (exposed === undefined || check === undefined) return undefined;
  if ('skipped' in check) {
    frame.record.notValidated.push(`arguments: ${check.skipped}`);
    return undefined;
  }
  const violations = check.validate(frame.request.params?.value.arguments ?? {});
  if (violations === undefined) return undefined;
  const message = `Invalid arguments for ${exposed.name}: ${describeViolations('arguments', violations)}. The tool's inputSchema says what it takes.`;
  return { kind: 'failed', failure: { code: 'invalid_arguments', message, executed: 'no' } };
};
