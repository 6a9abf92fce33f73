import { eraOf, type ResultStream } from '../protocol/index.ts';
import { CountedStream } from './counted-stream.ts';
import type { Frame, Incoming, Services } from './frame.ts';
import { kindOf } from './methods.ts';
import { openFrame } from './open-frame.ts';
import { runPipeline } from './pipeline.ts';
import { noSuchMethod } from './refusals.ts';
import { render, type Answer } from './render.ts';
import { leave, noteOutcome, settle } from './steps/settle.ts';

export type { Incoming } from './frame.ts';

/** Writes the record of a call that is over. */
export function closeRecord({ record }: Frame, services: Services, bytesOut: number, began: number): void {
  record.bytesOut = bytesOut;
  record.durationMs = performance.now() - began;
  services.recorder.record(record);
}

/** A result that flows: the call keeps its place and its record until it has flowed, broke off or was given up. */
function streaming(frame: Frame, services: Services, flow: ResultStream, began: number): Answer {
  const stream = new CountedStream(flow, (bytes, failure, isError) => {
    leave(frame, services);
    if (failure !== undefined) noteOutcome(frame, { kind: 'failed', failure });
    else if (isError) frame.record.outcome = 'tool_error';
    closeRecord(frame, services, bytes, began);
  });
  frame.record.streamed = true;
  return { text: '', status: 200, stream };
}

/** Walks a request through the pipeline, renders the answer for the client's revision and records the call. Never rejects. */
export async function answerRequest(incoming: Incoming, services: Services): Promise<Answer> {
  const began = performance.now();
  const { request, client, endpoint } = incoming;
  const era = eraOf(client.revision);
  const kind = kindOf(request.method, era, endpoint);
  const frame = openFrame(incoming, era, kind, services.clock.now());
  // A subscription is no request with an answer: `openListen` serves it.
  const outcome =
    kind === undefined || kind === 'listen' ? settle(frame, services, noSuchMethod(frame)) : await runPipeline(frame, services, began);
  const answer = render(frame, services, outcome);
  if (answer.stream !== undefined) return streaming(frame, services, answer.stream, began);
  closeRecord(frame, services, answer.text.length, began);
  return answer;
}
