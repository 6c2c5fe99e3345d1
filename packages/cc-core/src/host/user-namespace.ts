import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run, SubprocessError} from '../exec/index.js'
import {scriptsDirectory} from '../steps/index.js'
import type {HostProblem} from './subordinate-ids.js'

/** The switches that may forbid user namespaces, each with the value that allows them. */
const switches = [
  {name: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allow: '0'},
  {name: 'kernel.unprivileged_userns_clone', forbids: '0', allow: '1'},
  {name: 'user.max_user_namespaces', forbids: '0', allow: '15000'},
] as const

/** The words with which a step enters its namespace, as root and as an ordinary user. */
export function namespaceCommand(): string[] {
  return ['bash', join(scriptsDirectory(), 'lib/namespace.sh'), '--offline']
}

/** Whether a namespace as the steps use it can really be made; trying it is the only answer that counts. */
export async function userNamespaceProblem(signal?: AbortSignal): Promise<HostProblem | null> {
  try {
    await run([...namespaceCommand(), 'true'], {timeoutMs: 30_000, ...(signal && {signal})})
    return null
  } catch (error) {
    if (!(error instanceof SubprocessError) || error.code === 'E_INTERRUPTED') throw error
    const lines = error.stderr.trim().split('\n')
    // The script's own message says what to do; what unshare says is its last line.
    const [, own, fix] = /^error\[E_\w+\]: (.*)\n {2}try: (.*)$/m.exec(error.stderr) ?? []
    if (own !== undefined && fix !== undefined) return {message: own, fix}
    const said = lines.at(-1) ?? ''
    return explainRefusal(said === '' ? error.message : said, await readSwitches())
  }
}

/** @param values of the switches by name; one that the kernel lacks is absent */
export function explainRefusal(said: string, values: Readonly<Record<string, string>>): HostProblem {
  const guilty = switches.find(({name, forbids}) => values[name] === forbids)
  if (guilty !== undefined) {
    return {
      message: `${said}; ${guilty.name} is ${guilty.forbids}`,
      fix:
        `echo '${guilty.name} = ${guilty.allow}' | sudo tee /etc/sysctl.d/60-cc-user-namespaces.conf && ` +
        'sudo sysctl --system',
    }
  }
  return {message: said, fix: 'run it as root, or on a host or in a container that allows user namespaces'}
}

async function readSwitches(): Promise<Record<string, string>> {
  const values: Record<string, string> = {}
  for (const {name} of switches) {
    const text = await readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => null)
    if (text !== null) values[name] = text.trim()
  }
  return values
}
