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
const doors = (...open) => [
  'error',
  {
    paths: Object.entries(oneDoor)
      .filter(([name]) => !open.includes(name))
      .map(([name, message]) => ({name, message})),
    patterns: [{group: ['**/cc-*/src/**', 'cc-*/src/**', 'cc-*/dist/**'], message: 'import cc-core/<module>'}],
  },
]

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
  {files: ['packages/cc-core/src/exec/**'], rules: {'no-restricted-imports': doors('execa')}},
  {files: ['packages/cc-core/src/fs/**'], rules: {'no-restricted-imports': doors('shelljs')}},
  // Tests start real processes as a stranger would.
  {files: ['**/*.test.ts', 'e2e/**', 'tools/**'], rules: {'no-restricted-imports': doors('node:child_process')}},
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {globals: {process: 'readonly', console: 'readonly', URL: 'readonly'}},
  },
)
