import type { JudgeCall } from '../support/judge-port.ts';

interface ToolResult {
  readonly content?: unknown;
  readonly structuredContent?: unknown;
  readonly isError?: unknown;
}

/** A tool result in the words of the tests. */
export function judgeCall(answer: object): JudgeCall {
  const result: ToolResult = answer;
  const content = Array.isArray(result.content) ? (result.content as { type?: unknown; text?: unknown }[]) : [];
  const text = content.flatMap((part) => (part.type === 'text' && typeof part.text === 'string' ? [part.text] : [])).join('\n');
  return { isError: result.isError === true, text, structured: result.structuredContent };
}

const MAX_PAGES = 100;

/** Collects every page of a list, so that a client which shows one page only is asked for all. */
export async function allPages(
  page: (cursor: string | undefined) => Promise<{ names: string[]; next: string | undefined }>,
): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  for (let i = 0; i < MAX_PAGES; i++) {
    const { names: more, next } = await page(cursor);
    names.push(...more);
    if (next === undefined) return names;
    cursor = next;
  }
  throw new Error(`The list has more than ${MAX_PAGES} pages.`);
}
