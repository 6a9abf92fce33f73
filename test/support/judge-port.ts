/** What the end-to-end tests ask of a client that others wrote. test/judges implements it, so the root package needs no SDK. */
export interface JudgeCall {
  readonly isError: boolean;
  /** The text parts, joined by line breaks. */
  readonly text: string;
  readonly structured: unknown;
}

export interface JudgeClient {
  /** The revision that was negotiated; undefined where the client does not tell. */
  readonly revision: string | undefined;
  /** Names of all tools, every page, in order. */
  toolNames(): Promise<readonly string[]>;
  callTool(name: string, args: Readonly<Record<string, unknown>>): Promise<JudgeCall>;
  close(): Promise<void>;
}

export interface HttpTarget {
  readonly url: string;
  readonly key?: string;
}

export interface StdioTarget {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Judges {
  /** Clients that speak Streamable HTTP, by a readable name. */
  readonly http: Readonly<Record<string, (target: HttpTarget) => Promise<JudgeClient>>>;
  /** Clients that start a stdio server. */
  readonly stdio: Readonly<Record<string, (target: StdioTarget) => Promise<JudgeClient>>>;
}

/** One scenario of the conformance suite's client leg, to be driven through a gateway that has the suite's server behind it. */
export interface ConformanceTask {
  /** The gateway's endpoint of that server. */
  readonly url: string;
  readonly key: string;
  readonly scenario: string;
  /** The requirement set: the revision that is spoken. */
  readonly set: string;
  /** What the scenario tells its client. */
  readonly context: unknown;
}
