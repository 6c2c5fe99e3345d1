import {createSocket, type Socket} from 'node:dgram'
import {once} from 'node:events'

/** One end of an Ethernet cable; QEMU is at the other. A frame is a datagram on the loopback device. */
export interface Wire {
  /** Words for QEMU: the card at the other end. */
  words: (macAddress: string) => string[]
  /** Address and port of both ends, as QEMU sees them. */
  ends: {local: string; remote: string}
  send: (frame: Buffer) => void
  onFrame: (listener: (frame: Buffer) => void) => void
  close: () => void
}

/** Lay a cable. No privilege is needed, and nothing of the host's network is reached by it. */
export async function layWire(): Promise<Wire> {
  const socket = await bound()
  const {port} = socket.address()
  const other = await freePort()
  socket.setRecvBufferSize(4 * 1024 * 1024)
  const ends = {local: `127.0.0.1:${other}`, remote: `127.0.0.1:${port}`}
  return {
    ends,
    words: (macAddress) => [
      ...['-netdev', `socket,id=wire,udp=${ends.remote},localaddr=${ends.local}`],
      ...['-device', `virtio-net-pci,netdev=wire,mac=${macAddress}`],
    ],
    send: (frame) => {
      socket.send(frame, other, '127.0.0.1')
    },
    onFrame: (listener) => {
      socket.on('message', (frame, {port: from}) => {
        if (from === other) listener(frame)
      })
    },
    close: () => {
      socket.close()
    },
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.on('error', () => undefined) // Nobody listens there before QEMU does.
  return socket
}

/** QEMU wants to be told its own port. */
async function freePort(): Promise<number> {
  const socket = await bound()
  const {port} = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
