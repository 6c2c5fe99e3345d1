import {defineConfig} from 'vitest/config'

const suite = process.env['CC_E2E_SUITE'] ?? 'src'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    // src is part of npm test; each other folder has a script of its own: npm run e2e:flare.
    include: [`${suite}/**/*.e2e.test.ts`],
    globalSetup: 'lib/global-setup.ts',
    // A boot without KVM takes about 20 s when the machine has nothing else to do; these bounds are for a busy one.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    // Hardened images share one FLARE image, and their tests run several machines at a time by themselves.
    maxWorkers: suite === 'hardened' ? 1 : 2,
    reporters: ['verbose'],
  },
})
