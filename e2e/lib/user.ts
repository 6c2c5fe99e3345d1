import {execFileSync} from 'node:child_process'

import {currentUser} from 'cc-core/exec'

/** The ordinary user that the builds run as. Made by root; everybody else runs them as themselves. */
export const testUser = isRoot() ? 'cc-e2e' : (currentUser().name ?? String(currentUser().uid))

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Make the user, with the subordinate ids that useradd gives. */
export function makeUser(name: string, options: readonly string[] = []): void {
  try {
    execFileSync('id', [name], {stdio: 'ignore'})
  } catch {
    execFileSync('useradd', ['--create-home', '--shell', '/bin/bash', ...options, name])
  }
}

/** Let everything in a folder belong to the test user. */
export function giveToUser(path: string): void {
  if (isRoot()) execFileSync('chown', ['-R', `${testUser}:`, path])
}

/** The words that run a command as a user, without any capability and without our environment. */
export function asUser(name: string): string[] {
  if (!isRoot()) return []
  return ['setpriv', '--reuid', name, '--regid', name, '--init-groups', '--inh-caps=-all', '--']
}
