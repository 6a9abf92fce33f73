import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { pathText, readDocument, type Path, type SourceDocument } from './document.ts';
import { CONFIG_VARIABLE, listParts, variableSettings, variableWarnings, type Environment, type VariableSetting } from './environment.ts';
import { withoutForeignKeys } from './foreign-keys.ts';
import { problemAt, problemsOf, type Origins } from './issues.ts';
import { isDisabled, serverFrom } from './mcp-server.ts';
import { originOf, type ConfigOrigin } from './origin.ts';
import { placeholders } from './placeholders.ts';
import { ConfigError, type Problem } from './problems.ts';
import { PATH_SETTINGS, Settings, type Config } from './schema.ts';
import { substitute, type Substituted } from './substitute.ts';
import { typedText } from './walk.ts';

const DEFAULT_FILE = 'stockpulse.yaml';
const MAX_FILE_BYTES = 1024 * 1024;

export interface LoadOptions {
  readonly env: Environment;
  /** Folder that relative paths of the environment count from. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Things that work but are probably not meant. */
  readonly warnings: readonly string[];
  /** Absolute path of the file that was read, if any. */
  readonly source?: string;
  /** What the file held: tells later whether it changed. */
  readonly origin: ConfigOrigin;
  /** Texts with `${env:NAME}` as they were written, by path: what `config show` prints. */
  readonly templates: ReadonlyMap<string, string>;
}

type Json = Record<string, unknown>;

const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function fileProblem(file: string, error: unknown): ConfigError {
  const code = (error as NodeJS.ErrnoException).code;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: `this file does not exist. ${CONFIG_VARIABLE} names it: correct or unset the variable.`,
    EACCES: 'this file may not be read. Check its permissions.',
    EISDIR: 'this is a folder, not a file.',
  };
  return new ConfigError([
    { source: file, path: '', message: reasons[code ?? ''] ?? `this file cannot be read (${code ?? 'not UTF-8 text'}).` },
  ]);
}

interface Read {
  readonly origin: ConfigOrigin;
  /** Undefined where there is no file. */
  readonly document: SourceDocument | undefined;
}

function readFile(file: string): Read {
  let text: string;
  let origin: ConfigOrigin;
  try {
    const bytes = readFileSync(file);
    origin = originOf(file, bytes);
    if (bytes.length > MAX_FILE_BYTES)
      throw new ConfigError([{ source: file, path: '', message: `this file is larger than ${MAX_FILE_BYTES} bytes.` }]);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw error instanceof ConfigError ? error : fileProblem(file, error);
  }
  return { origin, document: readDocument(file, text) };
}

/** The named file, which must exist, or the default one if it does. */
function findDocument({ env, cwd }: LoadOptions): Read {
  const named = env[CONFIG_VARIABLE];
  if (named !== undefined && named !== '') return readFile(resolve(cwd, named));
  const file = resolve(cwd, DEFAULT_FILE);
  try {
    accessSync(file, constants.F_OK);
  } catch {
    return { origin: originOf(file, undefined), document: undefined };
  }
  return readFile(file);
}

function setIn(root: Json, path: Path, value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    root[head] = value;
    return;
  }
  root[head] ??= {};
  const next = root[head];
  if (isRecord(next)) setIn(next, rest, value);
}

const getIn = (root: unknown, path: Path): unknown => path.reduce<unknown>((node, part) => (isRecord(node) ? node[part] : undefined), root);

function resolvePaths(root: Json, folder: string): void {
  for (const path of PATH_SETTINGS) {
    const value = getIn(root, path);
    if (typeof value === 'string' && value !== '' && !isAbsolute(value)) setIn(root, path, resolve(folder, value));
  }
}

function variableValue(setting: VariableSetting, cwd: string): unknown {
  const isPath = PATH_SETTINGS.some((path) => pathText(path) === pathText(setting.path));
  if (isPath) return resolve(cwd, setting.text);
  return listParts(setting) ?? typedText(Settings, setting.path, setting.text);
}

/** A section whose lines are all comments reads as null: it is not set. */
function withoutEmptySections(root: Json): Json {
  return Object.fromEntries(Object.entries(root).filter(([, value]) => value !== null));
}

function tlsProblems(config: Config, origins: Origins): Problem[] {
  const { cert, key } = config.server.tls;
  if (cert === undefined && key === undefined) return [];
  const named = Object.entries({ cert, key });
  return named.flatMap(([name, file]) => {
    const path = ['server', 'tls', name];
    if (file === undefined) return [problemAt(['server', 'tls'], `needs ${name} as well: cert and key go together`, origins)];
    try {
      accessSync(file, constants.R_OK);
      return [];
    } catch {
      return [problemAt(path, `the file ${file} cannot be read`, origins)];
    }
  });
}

const LOOPBACK = /^(127\.|localhost$|::1$|\[::1\]$)/;

function warningsFor(config: Config): string[] {
  const { host, tls, publicUrl } = config.server;
  const warnings: string[] = [];
  if (!LOOPBACK.test(host) && tls.cert === undefined && publicUrl?.startsWith('https:') !== true)
    warnings.push(`server.host ${host} can be reached from other machines without TLS: keys travel in clear text.`);
  if (config.redis.url !== undefined)
    warnings.push('redis.url is accepted but not used yet: limits and sessions are kept in this process.');
  return warnings;
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const each of Object.values(value)) frozen(each);
    Object.freeze(value);
  }
  return value;
}

interface Input {
  readonly root: Json;
  readonly origins: Origins;
  /** Texts that name what is not known: variables that are not set, placeholders of a host. */
  readonly unset: Substituted['unset'];
  /** What was left out of the file, and why. */
  readonly warnings: readonly string[];
}

function gather({ env, cwd }: LoadOptions, document: SourceDocument | undefined): Input {
  const typed = (path: Path, text: string): unknown => typedText(Settings, path, text);
  const written = withoutForeignKeys(document?.value ?? {});
  const { value, unset, templates } = substitute(written.value, env, typed);
  const root = withoutEmptySections(isRecord(value) ? value : {});
  if (document !== undefined) resolvePaths(root, dirname(document.file));
  const variables = variableSettings(env);
  for (const variable of variables) setIn(root, variable.path, variableValue(variable, cwd));
  const unknown = [...unset, ...placeholders(written.value, env)];
  return { root, origins: { document, variables, templates }, unset: unknown, warnings: written.warnings };
}

/** Problems with the settings themselves; a place with an unset variable or a placeholder is reported for that alone. */
function check(input: Input): ReturnType<typeof Settings.parse> {
  const { root, origins, unset } = input;
  const parsed = Settings.safeParse(root, { reportInput: true });
  const missing = unset.map((each) => problemAt(each.path, each.message, { ...origins, variables: [] }));
  const places = new Set(missing.map((problem) => problem.path));
  const wrong = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, origins));
  const problems = [...missing, ...wrong.filter((problem) => !places.has(problem.path))];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw new ConfigError(problems);
}

function complete(settings: ReturnType<typeof check>, cwd: string, folder: string): Config {
  const entries = Object.entries(settings.mcpServers);
  const active = entries.filter(([, raw]) => !isDisabled(raw));
  const servers = active.map(([name, raw]) => [name, serverFrom(raw, folder, settings.limits.callSeconds)] as const);
  return frozen({
    ...settings,
    dataDir: resolve(cwd, settings.dataDir),
    mcpServers: Object.fromEntries(servers),
    disabledServers: entries.filter(([, raw]) => isDisabled(raw)).map(([name]) => name),
  });
}

/**
 * Reads the file and the environment (which wins) into one frozen Config.
 * Throws ConfigError with up to ten problems, each with its place; nothing is guessed and nothing half valid is returned.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { document, origin } = findDocument(options);
  const input = gather(options, document);
  const settings = check(input);
  const config = complete(settings, options.cwd, document === undefined ? options.cwd : dirname(document.file));
  const problems = tlsProblems(config, input.origins);
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = [...variableWarnings(options.env), ...warningsFor(config), ...input.warnings];
  return { config, warnings, ...(document && { source: document.file }), origin, templates: input.origins.templates };
}
