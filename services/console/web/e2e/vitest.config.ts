import { defineConfig } from 'vitest/config'

/** The tests in a browser share one platform and one machine: they run one after the other. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts'],
    fileParallelism: false,
    globalSetup: 'e2e/setup.ts',
    // A cold page on a busy machine; what is measured is printed, never judged.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
