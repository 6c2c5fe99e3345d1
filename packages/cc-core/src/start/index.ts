/**
 * Imported before everything else by the commands: oclif and what it uses ask for the home and the shell of the user
 * while they load, and fail where the user id has no entry in /etc/passwd, as in many containers. Both are given the
 * values that container engines give.
 */
import {homedir, userInfo} from 'node:os'

try {
  homedir()
} catch {
  process.env['HOME'] = '/'
}
try {
  userInfo()
} catch {
  process.env['SHELL'] ??= '/bin/sh'
}
