import {createServer, type Server, type Socket} from 'node:net'
import {once} from 'node:events'
import {open, type FileHandle} from 'node:fs/promises'

/**
 * A disk of the host, served by the NBD protocol (https://github.com/NetworkBlockDevice/nbd, doc/proto.md): what the
 * guest reads can be another thing each time.
 */
export interface ServedDisk {
  /** How QEMU is told where the disk is. */
  url: string
  close: () => Promise<void>
}

/** A piece of a disk that the guest wants to read or write; bytes. */
export interface DiskRequest {
  kind: 'read' | 'write'
  offset: number
  length: number
}

/**
 * What the host does with a request: error: the guest is told of an input/output error. A function changes what was
 * read, in place. null: nothing.
 */
export type Answer = 'error' | ((content: Buffer) => void) | null

const magic = {
  init: Buffer.from('NBDMAGIC'),
  option: Buffer.from('IHAVEOPT'),
  optionReply: Buffer.from('0003e889045565a9', 'hex'),
  request: 0x25609513,
  reply: 0x67446698,
}
const options = {exportName: 1, abort: 2, go: 7}
const replies = {ack: 1, info: 3, unsupported: 0x80000001}
const commands = {read: 0, write: 1, disconnect: 2, flush: 3}
/** Fixed newstyle, without 124 zeros behind the answer to an export name. */
const handshakeFlags = 3
/** The flags are valid, and flush is understood. */
const transmissionFlags = 5
const [ok, inputOutputError, invalid] = [0, 5, 22]

/**
 * Serve a raw file as a disk.
 * @param socket path of the unix socket, at most 107 characters
 * @param answer what is done with each request
 */
export async function serveDisk(
  file: string,
  socket: string,
  answer: (request: DiskRequest) => Answer,
): Promise<ServedDisk> {
  const disk = await open(file, 'r+')
  const {size} = await disk.stat()
  const connections = new Set<Socket>()
  const server: Server = createServer((connection) => {
    connections.add(connection)
    connection.on('error', () => undefined)
    void converse(connection, disk, size, answer)
      .catch(() => undefined) // The machine has ended.
      .finally(() => connection.destroy())
  })
  server.listen(socket)
  await once(server, 'listening')
  return {
    url: `nbd+unix:///?socket=${socket}`,
    close: async () => {
      for (const connection of connections) connection.destroy()
      server.close()
      await disk.close()
    },
  }
}

async function converse(
  connection: Socket,
  disk: FileHandle,
  size: number,
  answer: (request: DiskRequest) => Answer,
): Promise<void> {
  const take = reader(connection)
  connection.write(Buffer.concat([magic.init, magic.option, uint(2, handshakeFlags)]))
  await take(4)
  if (!(await negotiate(connection, take, size))) return
  for (;;) {
    const header = await take(28)
    if (header.readUInt32BE(0) !== magic.request) return
    const [type, handle] = [header.readUInt16BE(6), header.subarray(8, 16)]
    const [offset, length] = [Number(header.readBigUInt64BE(16)), header.readUInt32BE(24)]
    const reply = (error: number, content = Buffer.alloc(0)) =>
      connection.write(Buffer.concat([uint(4, magic.reply), uint(4, error), handle, content]))
    if (type === commands.disconnect) return
    if (type === commands.read) {
      const change = answer({kind: 'read', offset, length})
      if (change === 'error') {
        reply(inputOutputError)
        continue
      }
      const content = Buffer.alloc(length)
      await disk.read(content, 0, length, offset)
      change?.(content)
      reply(ok, content)
    } else if (type === commands.write) {
      const content = await take(length)
      const refused = answer({kind: 'write', offset, length}) === 'error'
      if (!refused) await disk.write(content, 0, length, offset)
      reply(refused ? inputOutputError : ok)
    } else reply(type === commands.flush ? ok : invalid)
  }
}

/** Agree on the one disk that there is, and on no extension. Whether it came to that. */
async function negotiate(connection: Socket, take: Take, size: number): Promise<boolean> {
  const about = Buffer.concat([uint(8, size), uint(2, transmissionFlags)])
  for (;;) {
    const header = await take(16)
    if (!header.subarray(0, 8).equals(magic.option)) return false
    const option = header.readUInt32BE(8)
    await take(header.readUInt32BE(12))
    const reply = (kind: number, content = Buffer.alloc(0)) =>
      connection.write(
        Buffer.concat([magic.optionReply, uint(4, option), uint(4, kind), uint(4, content.length), content]),
      )
    if (option === options.exportName) {
      connection.write(about)
      return true
    }
    if (option === options.go) {
      reply(replies.info, Buffer.concat([uint(2, 0), about]))
      reply(replies.ack)
      return true
    }
    if (option === options.abort) return false
    reply(replies.unsupported)
  }
}

type Take = (bytes: number) => Promise<Buffer>

/** Read exactly as many bytes as are asked for; what comes later waits. */
function reader(connection: Socket): Take {
  const chunks = connection[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let rest = Buffer.alloc(0)
  return async (bytes) => {
    const parts: Buffer[] = [rest]
    for (let length = rest.length; length < bytes;) {
      const {value, done} = (await chunks.next()) as IteratorResult<Buffer, undefined>
      if (done === true) throw new Error('the connection ended')
      parts.push(value)
      length += value.length
    }
    const all = Buffer.concat(parts)
    rest = all.subarray(bytes)
    return all.subarray(0, bytes)
  }
}

function uint(bytes: 2 | 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer.subarray(8 - bytes)
}
