import type { HttpTarget, JudgeCall, StdioTarget } from './judge-port.ts';

export interface Logged {
  readonly level: string;
  readonly data: unknown;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: number) => void;
}

/** A client of others, with everything that it saw. It answers what it is asked as test/judges/matrix-answers.ts says. */
export interface MatrixClient {
  /** Rejects with the JSON-RPC error, whose `code` it has. */
  call(name: string, args: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<JudgeCall>;
  /** Values for an argument of a prompt. */
  complete(prompt: string, argument: string, value: string): Promise<readonly string[]>;
  /** The tools as they are now, whatever the client remembers. */
  toolNames(): Promise<readonly string[]>;
  /** From now on log messages of this level and above are wanted. */
  wantLogs(level: 'debug' | 'info' | 'warning'): Promise<void>;
  /** From now on changes are wanted: of the list of tools, and of these resources. Rejects if that is refused. */
  follow(uris: readonly string[]): Promise<void>;
  readonly logs: readonly Logged[];
  readonly updated: readonly string[];
  /** How often it was told that the tools changed. */
  readonly listChanges: number;
  /** Methods of what it was asked. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

export interface MatrixOptions {
  /** The client's capabilities. */
  readonly offers: Readonly<Record<string, unknown>>;
  /** The revision that it begins with, instead of its newest; legacy clients only. */
  readonly revision?: string;
}

export type HttpClient = (target: HttpTarget, options: MatrixOptions) => Promise<MatrixClient>;
export type StdioClient = (target: StdioTarget, options: MatrixOptions) => Promise<MatrixClient>;

export interface MatrixJudges {
  readonly modern: HttpClient;
  readonly legacy: HttpClient;
  readonly v1: HttpClient;
  readonly sse: HttpClient;
  readonly webSocket: HttpClient;
  readonly stdioModern: StdioClient;
  readonly stdioLegacy: StdioClient;
}
