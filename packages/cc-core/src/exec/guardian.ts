import {execa} from 'execa'

/**
 * A shell that outlives this process by a moment. It reads `+ PGID` and `- PGID` on stdin; when this process is
 * gone, however it went, stdin ends and the shell kills the groups that are still open. The kernel's parent death
 * signal reaches only a direct child: this reaches the children of that child, too.
 */
const program = `
open=' '
while read -r op group; do
  case $op in
    +) open="$open$group " ;;
    -) case $open in *" $group "*) open="\${open%% $group *} \${open#* $group }" ;; esac ;;
  esac
done
for group in $open; do kill -s KILL -- "-$group"; done 2>/dev/null # dash has no -KILL --
`

function startGuardian(): (line: string) => void {
  // Detached: its own session, so Ctrl-C on the terminal does not end it before its work is done.
  const shell = execa('sh', ['-c', program], {
    detached: true,
    cleanup: false,
    reject: false,
    buffer: false,
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    extendEnv: false,
    env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'},
    cwd: '/',
  })
  shell.stdin.on('error', () => undefined) // It is an extra; a build does not fail because it was killed.
  shell.unref()
  // The pipe must not keep the event loop alive either. A child's stdin is a net.Socket.
  ;(shell.stdin as unknown as {unref(): void}).unref()
  return (line) => shell.stdin.write(line)
}

let tell: ((line: string) => void) | undefined

/**
 * Kills a process group with certainty once this process is gone.
 * @param group the process group id
 * @returns the function that takes the group out of care again
 */
export function guard(group: number): () => void {
  tell ??= startGuardian()
  tell(`+ ${group}\n`)
  return () => tell?.(`- ${group}\n`)
}
