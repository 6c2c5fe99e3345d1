import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'tools/**/*.test.ts'],
    // @oclif/test captures stdout itself; vitest's own interception would hide it.
    disableConsoleIntercept: true,
    testTimeout: 120_000,
  },
})
