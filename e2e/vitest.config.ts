import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    // src is part of npm test; long has scripts of its own: npm run e2e:flare.
    include: [`${process.env['CC_E2E_SUITE'] ?? 'src'}/**/*.e2e.test.ts`],
    globalSetup: 'lib/global-setup.ts',
    // A boot without KVM takes about 20 s when the machine has nothing else to do; these bounds are for a busy one.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
    reporters: ['verbose'],
  },
})
