import type {Manifest} from 'cc-core/manifest'
import {failed, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

export const judgeManifest = judging<{manifest: Manifest}>('manifest')(({manifest}) => {
  const {stage, distribution, partitions, packages} = manifest
  const detail = `${stage} image of ${distribution}: ${partitions.length} partitions, ${packages.length} packages`
  return verdictOf(manifestProblems(manifest), detail)
})

/** Whether there is a manifest at all; the reason where it cannot be read. */
export const judgeReadable = judging<{problem: string | null}>('problem')(({problem}) =>
  problem === null ? passed('it can be read') : failed(problem || 'it cannot be read'),
)

export interface Compared {
  /** Files and partitions that were compared. */
  checked: readonly string[]
  altered: readonly {name: string; reason: string}[]
}

/** Files and partitions whose sha256 is not that of the manifest. */
export const judgeAltered = judging<Compared>(
  'checked',
  'altered',
)(({checked, altered}, {names}: {names: readonly string[]}) =>
  names.length === 0
    ? failed('the manifest describes no file and no partition')
    : verdictOf(
        [
          ...names.filter((name) => !checked.includes(name)).map((name) => `${name} was not compared`),
          ...altered.map(({name, reason}) => `${name} ${reason}`),
        ],
        checked.join(', '),
      ),
)

/** The other name of the disk. */
export const judgeAlias = judging<{link: string | null}>('link')((
  {link},
  {path, target}: {path: string; target: string},
) => {
  if (link === null) return failed(`${path} is not a symbolic link`)
  return link === target ? passed(`a link to ${target}`) : failed(`it links to '${link}', not to ${target}`)
})

/** What only a manifest says that was written by something else, or by hand. */
function manifestProblems({disk, partitions, artefacts}: Manifest): string[] {
  const problems: string[] = []
  for (const name of ['vmlinuz', 'initrd.img', 'cmdline']) {
    if (!Object.hasOwn(artefacts, name)) problems.push(`it does not describe ${name}`)
  }
  for (const name of Object.keys(artefacts)) {
    if (!/^\w[\w.-]*$/.test(name)) problems.push(`'${name}' is not a file name`)
  }
  if (!partitions.some(({name, mount}) => name === 'cc-root' && mount === '/')) problems.push('it has no cc-root at /')
  let end = 0
  for (const {name, start, size, content, integrity, verity} of partitions) {
    if (partitions.filter((other) => other.name === name).length > 1) problems.push(`${name} is used twice`)
    if (start < end) problems.push(`${name} begins inside the partition before it`)
    end = start + size
    // Nothing would look at a partition without it.
    if (content === null && (name === 'cc-root' || verity !== null))
      problems.push(`the content of ${name} is not described`)
    if (content !== null && content.bytes > size) problems.push(`the content of ${name} is larger than ${name}`)
    if ((integrity === 'verity') !== (verity !== null))
      problems.push(`${name} has integrity ${integrity}, but verity does not fit`)
  }
  if (!(disk.bytes > 0)) problems.push('it does not say how large the disk is')
  if (end > disk.bytes) problems.push(`the last partition ends at ${end}, behind the disk of ${disk.bytes} bytes`)
  return problems
}
