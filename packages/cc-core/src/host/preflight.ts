import {CcError, type ErrorCode} from '../errors/index.js'
import {findProgram} from '../exec/index.js'
import {installCommand, tools, type Purpose, type Tool} from './requirements.js'
import {ownSubordinateIdProblem, type HostProblem} from './subordinate-ids.js'
import {userNamespaceProblem} from './user-namespace.js'
import {describeOld, oldTools} from './versions.js'

/** The tools for a purpose that this host lacks. */
export function missingTools(what: Purpose): Tool[] {
  return tools.filter((tool) => tool.for.includes(what) && findProgram(tool.program) === null)
}

/**
 * Refuse to start what this host cannot finish. Takes a fifth of a second.
 * @throws E_HOST_TOOL naming all programs that are missing or too old, E_SUBID or E_USERNS, with the command that mends it
 */
export async function preflight(what: Purpose, signal?: AbortSignal): Promise<void> {
  const missing = missingTools(what)
  if (missing.length > 0) {
    const names = missing.map(({program}) => `'${program}'`).join(', ')
    throw new CcError('E_HOST_TOOL', `this host lacks ${names}`, {suggestions: [installCommand(missing)]})
  }
  const old = await oldTools(
    tools.filter((tool) => tool.for.includes(what)),
    signal,
  )
  if (old.length > 0) {
    throw new CcError('E_HOST_TOOL', `this host is too old: ${old.map(describeOld).join('; ')}`, {
      suggestions: ['run it on Ubuntu 22.04, Debian 12 or newer, or in a container of one'],
    })
  }
  if (what !== 'build' && what !== 'open') return
  refuse('E_SUBID', await ownSubordinateIdProblem())
  refuse('E_USERNS', await userNamespaceProblem(signal))
}

function refuse(code: ErrorCode, problem: HostProblem | null): void {
  if (problem !== null) throw new CcError(code, problem.message, {suggestions: [problem.fix]})
}
