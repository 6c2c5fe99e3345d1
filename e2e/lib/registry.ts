import {execFile, execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {createRequire} from 'node:module'
import {createServer, type AddressInfo} from 'node:net'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'

import {aliases, packages} from './packages.js'

const repository = resolve(import.meta.dirname, '../..')
const verdaccio = createRequire(import.meta.url).resolve('verdaccio/bin/verdaccio')

/** A package registry that only this machine reaches. */
export interface Registry {
  url: string
  /** The environment of an npm that publishes to it: ours, without what an outer npm says of its own configuration. */
  env: NodeJS.ProcessEnv
  stop: () => Promise<void>
}

/**
 * Start an empty registry that keeps everything in a new folder. Our packages come from it alone, all others from the
 * registry that npm is configured to use here.
 */
export async function startRegistry(folder: string): Promise<Registry> {
  mkdirSync(folder, {recursive: true})
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}/`
  const config = join(folder, 'config.yaml')
  writeFileSync(config, JSON.stringify(configuration(folder)))
  // npm publishes nothing without a token; this registry takes any.
  const npmrc = join(folder, 'npmrc')
  writeFileSync(npmrc, `registry=${url}\n//${address}/:_authToken=any\n`)

  // It dies with us, however we end.
  const words = ['--pdeathsig', 'KILL', '--', process.execPath, verdaccio, '--config', config, '--listen', address]
  const env = {...process.env, NODE_NO_WARNINGS: '1'} // It warns about root.
  const server = spawn('setpriv', words, {cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit', 'ipc']})
  const exited = once(server, 'exit')
  await Promise.race([
    once(server, 'message'), // It has started.
    exited.then(() => Promise.reject(new Error(`the registry did not start, see ${folder}`))),
  ])
  const outer = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  const stop = async () => {
    server.kill()
    await exited
  }
  return {url, env: {...Object.fromEntries(outer), NPM_CONFIG_USERCONFIG: npmrc}, stop}
}

/** What verdaccio has to know; JSON is YAML, too. */
function configuration(folder: string): object {
  const anybody = {access: '$all', publish: '$all'}
  const ours = [...packages, ...aliases].map((path) => {
    const {name} = JSON.parse(readFileSync(join(repository, path, 'package.json'), 'utf8')) as {name: string}
    return [name, anybody] as const
  })
  return {
    storage: join(folder, 'storage'),
    uplinks: {upstream: {url: execFileSync('npm', ['config', 'get', 'registry'], {encoding: 'utf8'}).trim()}},
    packages: {...Object.fromEntries(ours), '**': {access: '$all', proxy: 'upstream'}},
    log: {type: 'file', path: join(folder, 'log'), level: 'http'},
    web: {enable: false},
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Publish packages: each a tarball, or the folder of a package in the repository. */
export async function publish({env}: Registry, what: readonly string[]): Promise<void> {
  for (const one of what) {
    const words = ['publish', '--loglevel', 'error', resolve(repository, one)]
    await promisify(execFile)('npm', words, {cwd: repository, env})
  }
}
