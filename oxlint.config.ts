import { defineConfig, type OxlintOverride } from 'oxlint';
import { packageHomes, rooms } from './tools/import-table.ts';

/** A relative specifier that leaves the current folder and ends in one of `names` as a room. */
function toRoom(names: string[]): string {
  return `^(\\.\\./)+(src/)?(${names.join('|')})(/|$|\\.ts$)`;
}

type Rules = NonNullable<OxlintOverride['rules']>;
interface Pattern {
  regex?: string;
  group?: string[];
  message: string;
}

const restrict = (patterns: Pattern[]): Rules => ({ 'no-restricted-imports': ['error', { patterns }] });

/** gitignore-style patterns: everything inside another room except its index. */
const roomInsides = (room: string): string[] => {
  const others = Object.keys(rooms).filter((other) => other !== room);
  return others.flatMap((other) => [`../**/${other}/**`, `!../**/${other}/index.ts`]);
};

function importRules(room: string): Rules {
  const allowed = rooms[room] ?? [];
  const forbidden = Object.keys(rooms).filter((other) => other !== room && !allowed.includes(other));
  const patterns: Pattern[] = [
    {
      regex: '^(\\.\\./)+(stockpulse|console|bench|test)/',
      message: 'Only app.ts may import stockpulse; nothing imports console, bench or test.',
    },
  ];
  if (forbidden.length > 0) {
    patterns.push({
      regex: toRoom(forbidden),
      message: `${room} may import only: ${allowed.join(', ') || 'nothing'} (tools/import-table.ts).`,
    });
  }
  if (!allowed.includes('app.ts'))
    patterns.push({ regex: '^(\\.\\./)+(src/)?(app|main)\\.ts$', message: 'Only cli and main.ts import app.ts.' });
  const foreign = Object.entries(packageHomes).filter(([, homes]) => !homes.includes(room));
  for (const [name, homes] of foreign)
    patterns.push({ group: [name], message: `${name} belongs to: ${homes.join(', ')} (tools/import-table.ts).` });
  // Last, because a negated group ends oxlint's search for further patterns.
  patterns.push({ group: roomInsides(room), message: 'A room is entered only through its index.ts.' });
  return restrict(patterns);
}

const roomOverrides: OxlintOverride[] = Object.keys(rooms).map((room) => ({ files: [`src/${room}/**/*.ts`], rules: importRules(room) }));

const outside = (files: string[], pattern: Pattern): OxlintOverride => ({ files, rules: restrict([pattern]) });

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise'],
  options: { typeAware: true },
  ignorePatterns: ['node_modules', 'dist', 'test/judges', 'bench/npm', 'console/dist'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
    'typescript/await-thenable': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'import/no-default-export': 'error',
    'import/no-cycle': 'error',
    'no-console': 'error',
    eqeqeq: 'error',
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    'max-params': ['error', { max: 5 }],
  },
  overrides: [
    ...roomOverrides,
    { files: ['src/security/routes/**/*.ts'], rules: importRules('security/routes') },
    outside(['stockpulse/**/*.ts'], { regex: '^(\\.\\./)+(src|bench|console)/', message: 'stockpulse imports nothing of the gateway.' }),
    outside(['bench/**/*.ts'], { regex: '^(\\.\\./)+(src|stockpulse|test)/', message: 'bench speaks HTTP only.' }),
    outside(['test/**/*.ts'], { group: ['../**/src/*/**', '!../**/src/*/index.ts'], message: 'Tests enter a room through its index.ts.' }),
    { files: ['*.config.ts'], rules: { 'import/no-default-export': 'off' } },
    {
      files: ['src/cli/**/*.ts', 'src/main.ts', 'bench/**/*.ts', 'tools/**/*.ts', 'test/**/*.ts', 'bin/*.js'],
      rules: { 'no-console': 'off' },
    },
    // A describe block is a list of cases, not a function with one job.
    {
      files: ['**/*.test.ts'],
      rules: { 'max-lines-per-function': 'off', 'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }] },
    },
  ],
});
