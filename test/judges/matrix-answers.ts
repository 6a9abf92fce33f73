/** What the matrix clients answer: values made from what they are asked, so that an answer that reached the wrong question is seen. */
export const elicited = (params: { message?: string; mode?: string }) => {
  const content = { name: `answer to ${params.message ?? ''}` };
  return { action: 'accept' as const, ...(params.mode === 'url' ? {} : { content }) };
};

export const sampled = (params: { messages?: readonly { content?: unknown }[] }) => {
  const content = params.messages?.[0]?.content;
  const first: unknown = Array.isArray(content) ? (content as unknown[])[0] : content;
  const heard = (first as { text?: string } | undefined)?.text ?? '';
  return { model: 'judge', role: 'assistant' as const, content: { type: 'text' as const, text: `sampled ${heard}` } };
};

export const rooted = () => ({ roots: [{ uri: 'file:///judge/root', name: 'judge root' }] });

/** What a client saw. */
export class Seen {
  readonly logs: { level: string; data: unknown }[] = [];
  readonly updated: string[] = [];
  readonly asked: string[] = [];
  listChanges = 0;
}
