import {execFileSync, spawn, type ChildProcess} from 'node:child_process'
import {readdirSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'

import {currentUser} from 'cc-core/exec'

import {folder} from './lab.js'

export interface TimeServer {
  /** Port of its key exchange on 127.0.0.1. */
  port: number
  process: ChildProcess
}

/**
 * A real NTS server with the time of this host: chronyd from its package, which is unpacked and not installed, so that the
 * clock of this host stays with whoever has it (-x).
 * @param certificates folder with server.key and server.pem
 */
export async function startTimeServer(certificates: string): Promise<TimeServer> {
  const work = folder('time-server')
  execFileSync('apt-get', ['download', 'chrony'], {cwd: work, stdio: 'ignore'})
  const [archive = ''] = readdirSync(work).filter((name) => name.endsWith('.deb'))
  execFileSync('dpkg-deb', ['-x', archive, 'chrony'], {cwd: work})
  const [port, ntp] = [await freePort(), await freePort()]
  const lines = [
    ...['local stratum 1', 'allow 127.0.0.1', 'bindaddress 127.0.0.1', `port ${ntp}`, `ntsport ${port}`],
    ...[`ntsserverkey ${join(certificates, 'server.key')}`, `ntsservercert ${join(certificates, 'server.pem')}`],
    ...['cmdport 0', 'bindcmdaddress /', `pidfile ${join(work, 'pid')}`],
  ]
  const conf = join(work, 'chrony.conf')
  writeFileSync(conf, `${lines.join('\n')}\n`)
  const user = currentUser().name ?? 'root'
  const process = spawn(join(work, 'chrony/usr/sbin/chronyd'), ['-x', '-U', '-d', '-u', user, '-f', conf], {
    stdio: 'ignore',
  })
  return {port, process}
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  })
}
