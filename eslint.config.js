import js from '@eslint/js'
import {defineConfig} from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Each of these packages is used in one place only. */
const oneDoor = {
  execa: 'only cc-core/exec runs programs',
  child_process: 'only cc-core/exec runs programs',
  'node:child_process': 'only cc-core/exec runs programs',
  shelljs: 'only cc-core/fs uses shelljs',
}

/** Folders of cc-core, lowest first: each imports from those before it only, and by their index. */
const layers = [
  ...['errors', 'ui', 'start', 'exec', 'fs', 'cmdline', 'config', 'distro', 'layout', 'manifest', 'trustee', 'sbom'],
  ...['steps', 'boot'],
  ...['host', 'source', 'pip', 'keys', 'platform', 'vm', 'report', 'resize', 'seal', 'build', 'command'],
]

/** What a file may not import. */
const doors = (open = [], patterns = []) => [
  'error',
  {
    paths: Object.entries(oneDoor)
      .filter(([name]) => !open.includes(name))
      .map(([name, message]) => ({name, message})),
    patterns: [
      {group: ['**/cc-*/src/**', 'cc-*/src/**', 'cc-*/dist/**'], message: 'import cc-core/<module>'},
      ...patterns,
    ],
  },
]

/** Imports that a folder of cc-core may not have. */
const layer = (folder) => {
  const open = {exec: ['execa'], fs: ['shelljs']}[folder] ?? []
  const lower = layers.slice(0, layers.indexOf(folder))
  const allowed = lower.length === 0 ? '(?!)' : `(${lower.join('|')})/index\\.js$`
  const message = `${folder} imports the index of a lower folder only: ${lower.join(', ') || 'there is none'}`
  return {
    files: [`packages/cc-core/src/${folder}/**/*.ts`],
    ignores: ['**/*.test.ts', '**/fixtures/**'],
    rules: {'no-restricted-imports': doors(open, [{regex: `^\\.\\./(?!${allowed})`, message}])},
  }
}

export default defineConfig(
  {ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', 'build/**']},
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: {allowDefaultProject: ['vitest.config.ts']},
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'no-restricted-imports': doors(),
      // Numbers in a text are what they look like.
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true}],
      // A key of an open-ended map is written as a key, so that it does not look like a known property.
      '@typescript-eslint/dot-notation': 'off',
      // What throws in an async function is a rejected promise, also where nothing is awaited yet.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', ignoreRestSiblings: true}],
    },
  },
  {files: ['packages/*/src/**/*.ts'], ignores: ['**/*.test.ts'], rules: {'no-console': 'error'}},
  ...layers.map(layer),
  // Tests start real processes as a stranger would.
  {files: ['**/*.test.ts', 'e2e/**', 'tools/**'], rules: {'no-restricted-imports': doors(['node:child_process'])}},
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {globals: {process: 'readonly', console: 'readonly', URL: 'readonly'}},
  },
)
