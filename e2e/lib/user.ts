import {execFileSync} from 'node:child_process'
import {userInfo} from 'node:os'

/** The ordinary user that the builds run as. Made by root; everybody else runs them as themselves. */
export const testUser = userInfo().uid === 0 ? 'cc-e2e' : userInfo().username

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
  if (userInfo().uid === 0) execFileSync('chown', ['-R', `${testUser}:`, path])
}

/** The words that run a command as a user, without any capability and without our environment. */
export function asUser(name: string): string[] {
  if (userInfo().uid !== 0) return []
  return ['setpriv', '--reuid', name, '--regid', name, '--init-groups', '--inh-caps=-all', '--']
}
