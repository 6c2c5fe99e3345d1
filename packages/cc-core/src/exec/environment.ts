import {accessSync, constants, statSync} from 'node:fs'
import {homedir, userInfo} from 'node:os'
import {isAbsolute, join} from 'node:path'

/** What a child inherits: how to find programs, files and the network; nothing that changes what it does. */
const inherited = [
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'XDG_RUNTIME_DIR',
  'SOURCE_DATE_EPOCH',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
]

/** Each of these is known in lower and in upper case; which of them a program reads differs. */
const proxies = ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy']

/** The environment every child starts from. Administrator directories are on the PATH although users often lack them. */
export function baseEnvironment(): Record<string, string> {
  // SHLVL: Debian's bash reads ~/.bashrc in a top-level shell whose stdin is a socket, which Node's pipes are.
  const env: Record<string, string> = {LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TZ: 'UTC', SHLVL: '1', PATH: searchPath()}
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  for (const name of proxies) {
    // apt and wget read only the lower case, and people often set only the upper. The lower case wins, as in curl.
    const value = process.env[name] ?? process.env[name.toUpperCase()]
    if (value !== undefined) env[name] = env[name.toUpperCase()] = value
  }
  return env
}

/** Who runs us. A user id need not have an entry in /etc/passwd, as in many containers; then there is no name. */
export function currentUser(): {uid: number; name: string | null} {
  const uid = process.getuid?.() ?? 0
  try {
    return {uid, name: userInfo().username}
  } catch {
    return {uid, name: null}
  }
}

function searchPath(): string {
  const own = (process.env['PATH'] ?? '').split(':').filter((directory) => isAbsolute(directory))
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  return [...new Set([...own, ...system])].join(':')
}

/**
 * The absolute path of a program, or null when it is not there or not executable.
 * @param name a bare name, looked for on the PATH, or an absolute path
 */
export function findProgram(name: string, path = searchPath()): string | null {
  const candidates = name.includes('/') ? [name] : path.split(':').map((directory) => join(directory, name))
  return candidates.find(isExecutableFile) ?? null
}

function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** The home of who runs us; null where neither HOME nor /etc/passwd has one. */
export function homeDirectory(): string | null {
  try {
    return homedir()
  } catch {
    return null
  }
}
