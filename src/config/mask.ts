import { stringify } from 'yaml';
import { pathText, type Path } from './document.ts';
import { isSecret } from './issues.ts';
import type { LoadedConfig } from './load.ts';

const MASK = '***';
const SECRET_WORD = /(key|token|secret|passw|passphrase|credential|auth|signature|bearer)/i;

/** A URL without its password and without the values of query parameters that look like secrets. */
function maskedUrl(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.password !== '') url.password = MASK;
  for (const name of new Set(url.searchParams.keys())) if (SECRET_WORD.test(name)) url.searchParams.set(name, MASK);
  return url.href === new URL(text).href ? text : url.href;
}

/** Program arguments: `--token=x` and `--token x` lose their value. */
function maskedArguments(args: readonly string[]): string[] {
  return args.map((argument, index) => {
    const before = args[index - 1] ?? '';
    if (/^--?[\w-]+$/.test(before) && SECRET_WORD.test(before) && !argument.startsWith('-')) return MASK;
    const [flag = '', ...rest] = argument.split('=');
    return rest.length > 0 && !flag.includes('://') && SECRET_WORD.test(flag) ? `${flag}=${MASK}` : maskedUrl(argument);
  });
}

/** The configuration for people's eyes: secrets are `***`, and what came from `${env:NAME}` is shown as it was written. */
export function maskedConfig({ config, templates }: LoadedConfig): unknown {
  const walk = (value: unknown, path: Path): unknown => {
    const template = templates.get(pathText(path));
    if (template !== undefined) return template;
    if (typeof value === 'string') return isSecret(path) && path[1] !== 'url' ? MASK : maskedUrl(value);
    if (Array.isArray(value)) {
      const items: unknown[] = value;
      const texts = path[0] === 'mcpServers' && path[2] === 'args' ? maskedArguments(items as string[]) : items;
      return texts.map((item, index) => walk(item, [...path, index]));
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  return walk(config, []);
}

/** A plain value as YAML, as people write it. */
export const asYaml = (value: unknown): string => stringify(value, { lineWidth: 0 });
