import type { z } from 'zod';
import { CONFIG_VARIABLE, VARIABLES } from './environment.ts';
import { DOCUMENTED } from './mcp-server.ts';
import { Settings } from './schema.ts';
import { definitionOf, unwrap } from './walk.ts';

/** One setting of the reference. */
export interface SettingRow {
  readonly setting: string;
  readonly type: string;
  /** Its default as JSON; empty if there is none. */
  readonly standard: string;
  /** The variable that sets it, if any. */
  readonly variable: string;
  readonly meaning: string;
}

function typeText(schema: z.ZodType): string {
  const { type, entries, element, valueType, options } = definitionOf(schema);
  if (type === 'enum') return Object.keys(entries ?? {}).join(' | ');
  if (type === 'array') return `list of ${element === undefined ? 'values' : typeText(unwrap(element))}`;
  if (type === 'record') return `mapping to ${valueType === undefined ? 'values' : typeText(unwrap(valueType))}`;
  if (type === 'union') return options?.every((option) => definitionOf(option).type !== 'object') ? 'text' : 'text or mapping';
  return { string: 'text', number: 'number', boolean: 'true | false', object: 'mapping' }[type] ?? type;
}

function defaultOf(schema: z.ZodType): unknown {
  const { type, defaultValue, innerType } = definitionOf(schema);
  if (type === 'default') return defaultValue;
  return innerType === undefined ? undefined : defaultOf(innerType);
}

function descriptionOf(schema: z.ZodType): string {
  const { innerType } = definitionOf(schema);
  return schema.description ?? (innerType === undefined ? '' : descriptionOf(innerType));
}

const variables = new Map(Object.entries(VARIABLES).map(([name, path]) => [path.join('.'), name]));

function rowsOf(schema: z.ZodType, path: string): SettingRow[] {
  const inner = unwrap(schema);
  const { type, shape, valueType } = definitionOf(inner);
  if (type === 'object' && !path.endsWith('.requires'))
    return Object.entries(shape ?? {})
      .filter(([key]) => !path.startsWith('mcpServers') || DOCUMENTED.includes(key))
      .flatMap(([key, each]) => rowsOf(each, path === '' ? key : `${path}.${key}`));
  if (path === 'mcpServers' && valueType !== undefined) return rowsOf(valueType, 'mcpServers.<name>');
  if (path === 'mcpServers.<name>.tools' && valueType !== undefined) return rowsOf(valueType, `${path}.<tool>`);
  const standard = defaultOf(schema);
  return [
    {
      setting: path,
      type: typeText(inner),
      standard: standard === undefined ? '' : JSON.stringify(standard),
      variable: variables.get(path) ?? '',
      meaning: descriptionOf(schema),
    },
  ];
}

/** Every setting, in the order of the schema. */
export const settingRows = (): SettingRow[] => rowsOf(Settings, '');

const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

/** The table of all settings as Markdown, made from the schema. */
export function configReference(): string {
  const rows = settingRows().map((row) => {
    const type = row.type.replaceAll('|', String.raw`\|`);
    return `| ${code(row.setting)} | ${type} | ${code(row.standard)} | ${code(row.variable)} | ${row.meaning} |`;
  });
  return [
    `Settings come from \`stockpulse.yaml\` (or the file that \`${CONFIG_VARIABLE}\` names) and from the environment, which wins.`,
    'In the file every text may hold `${env:NAME}`. Relative paths count from the folder of the file.',
    '',
    '| Setting | Type | Default | Variable | Meaning |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
