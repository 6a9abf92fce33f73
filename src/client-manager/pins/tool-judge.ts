import type { SideEffect, ToolDefinition } from '../../protocol/index.ts';
import { sideEffectOf } from './fingerprint.ts';
import type { PinPolicy } from './judge.ts';
import type { PinBoard } from './pin-board.ts';

/** What was decided of one tool that a server shows. */
export interface Judged {
  /** Why nobody sees or calls it; undefined if it is shown. */
  readonly withheld: string | undefined;
  /** By the annotations that were accepted. */
  readonly sideEffect: SideEffect;
}

/** Decides of the tools that a server shows in a scope; by their names. */
export type ToolJudge = (scope: string, tools: readonly ToolDefinition[]) => ReadonlyMap<string, Judged>;

/** The judge of one server's tools, by what the board has of it. */
export function toolJudge(board: PinBoard, server: string, policy: PinPolicy): ToolJudge {
  return (scope, tools) => {
    const definitions = tools.map(({ value }) => value);
    return new Map(
      board.judge(server, scope, definitions, policy).map(({ name, withheld }) => {
        const reason = `its definition changed since it was accepted: "stockpulse servers show ${server}" says how, "stockpulse servers accept ${server} ${name}" accepts it`;
        const sideEffect = sideEffectOf(board.accepted(server, scope, name) ?? {});
        return [name, { withheld: withheld ? reason : undefined, sideEffect }] as const;
      }),
    );
  };
}
