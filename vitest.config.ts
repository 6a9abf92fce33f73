import { defineConfig } from 'vitest/config';

/** `npm run check` runs the unit tests and one end-to-end test; `npm test` everything; `npm run test:long` everything at full counts. */
const long = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1) > 1;

export default defineConfig({
  test: {
    include: ['{src,stockpulse,test,tools,bench,bin}/**/*.test.ts'],
    exclude: ['node_modules/**', 'test/judges/**', 'bench/npm/**', 'dist/**'],
    setupFiles: ['test/requirements/verifies.ts'],
    pool: 'forks',
    // Two cores: more workers only make each other late.
    maxWorkers: 2,
    testTimeout: long ? 1_800_000 : 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    reporters: ['default'],
  },
});
