import { arrayItems, describeViolations, jsonText, memberOf, objectSpan, type JsonText, type Outcome } from '../../protocol/index.ts';
import type { Step } from '../frame.ts';

/**
 * The structured content against the tool's outputSchema. A result that breaks it becomes a tool error that says so and keeps the
 * content: the call was carried out, and what it returned must not be lost.
 */
export const validateResult: Step = (frame): Outcome | undefined => {
  const { exposed, outcome } = frame;
  if (outcome?.kind !== 'complete') return undefined;
  const check = outcome.result.value.isError === true ? undefined : exposed?.tool.result?.();
  if (check === undefined) return undefined;
  if ('skipped' in check) {
    frame.record.notValidated.push(`result: ${check.skipped}`);
    return undefined;
  }
  const { structuredContent } = outcome.result.value;
  const violations = structuredContent === undefined ? [{ path: '', message: 'is missing' }] : check.validate(structuredContent);
  if (violations === undefined) return undefined;
  frame.record.errorCode = 'result_invalid';
  const result = brokenResult(exposed?.name ?? '', describeViolations('structuredContent', violations), outcome.result);
  frame.outcome = { kind: 'complete', result };
  return undefined;
};

function brokenResult(name: string, problem: string, result: JsonText): JsonText {
  const text = `The result of ${name} does not match its outputSchema: ${problem}. The call itself was carried out; its content follows.`;
  const note = { type: 'text', text };
  const content = memberOf(objectSpan(result.text), 'content');
  const items = Array.isArray(result.value.content) && content !== undefined ? arrayItems(result.text, content.start) : [];
  const value = { content: [note, ...(items.length > 0 ? (result.value.content as unknown[]) : [])], isError: true };
  if (items.length === 0) return jsonText(value);
  return { value, text: `{"content":[${[JSON.stringify(note), ...items].join(',')}],"isError":true}` };
}
