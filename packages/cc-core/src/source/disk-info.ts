import {CcError} from '../errors/index.js'

/** What .disk/info says of an installation medium. */
export interface DiskInfo {
  os: 'ubuntu' | 'debian'
  /** As written, point release included, for example "24.04.1" or "12". */
  release: string
  /** For example "noble". */
  codename: string
  profileId: string
}

/** The media that can be opened, by the name and series they give themselves. */
const media = [
  {title: 'Ubuntu-Server', series: '22.04', codename: 'jammy', os: 'ubuntu'},
  {title: 'Ubuntu-Server', series: '24.04', codename: 'noble', os: 'ubuntu'},
  {title: 'Debian-Standin-Server', series: '12', codename: 'bookworm', os: 'debian'},
  {title: 'Debian-Standin-Server', series: '13', codename: 'trixie', os: 'debian'},
] as const

const architecture = 'amd64'
/** `Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)` */
const pattern =
  /^([A-Z][\w-]*) (\d+(?:\.\d+){0,2})(?: LTS)? "([A-Z][a-z]+)(?: [A-Z][a-z]+)?" - [A-Z][\w ]* (\w+) \(([\d.]+)\)$/

/**
 * Parse the one line of .disk/info.
 * @throws E_ISO_KIND for any medium but the server of a supported release, for amd64
 */
export function parseDiskInfo(info: string): DiskInfo {
  const [, title, release = '', name = '', arch] = pattern.exec(info) ?? []
  if (title === undefined) throw kind(`.disk/info reads ${quote(info)}, which no server medium of Ubuntu has`)
  const found = media.find(({title: known, series}) => known === title && `${release}.`.startsWith(`${series}.`))
  if (found === undefined) throw kind(`${quote(`${title} ${release}`)} is not supported`)
  if (arch !== architecture) throw kind(`it is for ${quote(arch ?? '')}, not for ${architecture}`)
  const {os, series, codename} = found
  if (name.toLowerCase() !== codename)
    throw kind(`release ${release} is ${codename}, but .disk/info calls it ${quote(name)}`)
  return {os, release, codename, profileId: `${os}-${series}`}
}

/** The error for a medium of another kind. */
export function kind(reason: string): CcError {
  const titles = [...new Set(media.map(({title, series}) => `${title} ${series}`))].join(', ')
  return new CcError('E_ISO_KIND', `not an ISO that can be installed from: ${reason}`, {
    suggestions: [`give a live-server ISO for ${architecture}: ${titles}`],
  })
}

/** A text from the ISO as it may be shown: one line, no control characters, not endless. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}
