import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {Config, Help, type Command} from '@oclif/core'

import {repository, type Document} from './repository.js'

/** The packages whose README.md shows the help of their commands. */
const packages = ['cc-image-installer', 'cc-flare-builder', 'cc-hardening-builder', 'cc-image-test', 'cc-resize']

/** The lines around the generated part of a README.md; those of `oclif readme`. */
const [start, stop] = ['<!-- commands: written by npm run docs -->', '<!-- commandsstop -->']

/**
 * README.md of each package with commands: as it is, but for its list of commands, which is what `--help` prints.
 * `oclif readme` does the same, but writes the version of the package and of Node.js into it, and it needs an address of
 * the repository.
 */
export async function generateReadmes(): Promise<Document[]> {
  return Promise.all(
    packages.map(async (name) => {
      const root = join(repository, 'packages', name)
      const path = `packages/${name}/README.md`
      const [before, after] = parts(path, await readFile(join(root, 'README.md'), 'utf8'))
      return {path, text: `${before}${start}\n\n${reference(await Config.load({root}))}\n${stop}${after}`}
    }),
  )
}

function parts(path: string, text: string): [string, string] {
  const [from, to] = [text.indexOf(start), text.indexOf(stop)]
  if (from < 0 || to < from) throw new Error(`${path} needs the lines '${start}' and '${stop}'`)
  return [text.slice(0, from), text.slice(to + stop.length)]
}

function reference(config: Config): string {
  const help = new TextHelp(config, {maxWidth: 100, stripAnsi: true})
  const commands = [...config.commands].sort((a, b) => a.id.localeCompare(b.id))
  return commands.map((command) => `\`\`\`text\n${help.text(command)}\n\`\`\`\n`).join('\n')
}

/** What oclif prints for one command, as text. */
class TextHelp extends Help {
  text(command: Command.Loadable): string {
    // The only command of a program has no name of its own; oclif, too, empties its id before it prints.
    const named = this.config.isSingleCommandCLI ? {...command, id: ''} : command
    return this.formatCommand(named)
      .trim()
      .replace(`${this.config.bin}  `, `${this.config.bin} `)
      .replaceAll(/ +$/gm, '')
  }
}
