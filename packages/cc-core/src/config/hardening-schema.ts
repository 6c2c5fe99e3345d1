import {isIP} from 'node:net'

import {z} from 'zod'

import {filesystems} from './layout-schema.js'
import {guestPath, hostFileOrFolder, hostFolder, hostKey, hostSecret, tmpfsSize} from './values.js'

const address = z
  .string()
  .refine((text) => isIP(text) !== 0, 'expected an IPv4 or IPv6 address')
  .describe('IPv4 or IPv6 address.')

const cidr = z
  .string()
  .refine(isCidr, 'expected a network like 10.0.0.0/8 or fd00::/8')
  .describe('Only from or to these addresses; null = any.')

/** One line of an allow-list of the firewall. */
export const portRule = z.strictObject({
  port: z.int().min(1).max(65535).describe('Port of the server: ours for `inbound`, the other one for `outbound`.'),
  protocol: z.enum(['tcp', 'udp']).default('tcp').describe('`tcp` or `udp`.'),
  cidr: cidr.nullable().default(null),
})

const hostName = z
  .string()
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/, 'expected a host name like server1.example.org')

const network = z.strictObject({
  inbound: z
    .array(portRule)
    .nullable()
    .default(null)
    .describe(
      'Ports that may be reached from outside; null = 8002 for a server, none for a client. Those of the start-up kit are added.',
    ),
  outbound: z
    .array(portRule)
    .nullable()
    .default(null)
    .describe(
      'Ports that may be reached from inside; null = 8002 for a client, none for a server. Those of the start-up kit are added.',
    ),
  resolvers: z.array(address).default([]).describe('Name servers, the only ones asked; [] = those that DHCP names.'),
  hosts: z.record(hostName, address).default({}).describe('Addresses by host name, for /etc/hosts.'),
})

const mounts = z.strictObject({
  input: guestPath
    .default('/mnt/data/nvflare/input')
    .describe('Where a client mounts the disk with the serial `nvflare-input`, read-only.'),
  inputKey: hostSecret
    .nullable()
    .default(null)
    .describe('Key file; with it that disk has to be LUKS2. It goes into `cc-ro`.'),
  output: guestPath
    .nullable()
    .default(null)
    .describe(
      'Where a server mounts the disk with the serial `nvflare-output`, or `cc-out`; null = /mnt/data/nvflare/output. A client has none.',
    ),
  outputKey: hostKey
    .nullable()
    .default(null)
    .describe('Key file; with it that disk is LUKS2, and made so where it is empty. It goes into `cc-ro`.'),
})

/** Bounds of what job code can take from the machine; FLARE itself is inside them, too. */
const limits = z.strictObject({
  tasks: z.int().min(64).max(4_194_304).default(8192).describe('Processes and threads.'),
  // The rest is for the kernel and systemd. Where less than about 350 MiB is left to them, the machine runs out of memory
  // before FLARE reaches its bound: without swap the kernel then looks for pages to give back for minutes (soft lockups),
  // and stops nobody. 80% of 1 GiB left 194 MiB.
  memory: tmpfsSize.default('60%').describe('Memory, files in /tmp and /dev/shm with it: a share, or a size.'),
  openFiles: z.int().min(256).max(1_048_576).default(65_536).describe('Files that one process may have open.'),
  logMessages: z.int().min(100).max(1_000_000).default(5000).describe('Log messages that are kept in `logSeconds`.'),
  logSeconds: z.int().min(1).max(3600).default(30).describe('The time for `logMessages`, in seconds.'),
})

export const hardeningSchema = z.strictObject({
  role: z.enum(['client', 'server']).nullable().default(null).describe('Role of the site; also `--role`.'),
  site: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9@._-]{0,62})$/, 'expected a name like site-1')
    .nullable()
    .default(null)
    .describe('Name of the site; null = that of the start-up kit, or the role.'),
  requirements: hostFileOrFolder
    .nullable()
    .default(null)
    .describe('requirements.txt of the application; also `--requirements`. null = the one in the current directory.'),
  application: hostFolder
    .nullable()
    .default(null)
    .describe(
      'Folder with code, also `--application`: it becomes /local/custom, where NVIDIA FLARE looks for classes that are in no package.',
    ),
  allowConflicts: z
    .boolean()
    .default(false)
    .describe('Build even where `pip check` finds requirements that contradict each other, FLARE’s own among them.'),
  startupKit: hostFolder.nullable().default(null).describe('Start-up kit of NVIDIA FLARE; also `--startup-kit`.'),
  key: z
    .enum(['kbs', 'tee-derived', 'development'])
    .nullable()
    .default(null)
    .describe('Key source of `cc-root` and `cc-ro`; null = `kbs`, or `development` with `--development`.'),
  rootFilesystem: z
    .enum(filesystems)
    .default('squashfs')
    .describe('File system of `cc-root`: `squashfs` (compressed) or `ext4`.'),
  rootCompressionLevel: z
    .int()
    .min(1)
    .max(22)
    .default(1)
    .describe('Level of zstd, for `squashfs`: a higher one takes longer and gives a smaller image.'),
  workspace: guestPath
    .default('/vault/workspace')
    .describe('Workspace of FLARE. Its first folder is where `cc-app` is mounted.'),
  network: network.prefault({}).describe('The firewall: what is not listed is dropped, in and out.'),
  mounts: mounts.prefault({}).describe('Data disks that the host may attach.'),
  logs: z
    .enum(['none', 'console', 'disk'])
    .default('none')
    .describe(
      'Where the host may read the log of FLARE: nowhere, on the console, as text on the disk with the serial `nvflare-log`.',
    ),
  lockdown: z
    .enum(['none', 'integrity', 'confidentiality'])
    .default('integrity')
    .describe('Lockdown of the kernel. `none` is needed for a driver module without a signature of the distribution.'),
  memoryDenyWriteExecute: z
    .boolean()
    .default(false)
    .describe('Whether FLARE may make no memory executable. Just-in-time compilers, as in PyTorch and CUDA, need it.'),
  netlink: z
    .boolean()
    .default(false)
    .describe('Whether FLARE may open AF_NETLINK sockets: NCCL and Gloo need it to list network interfaces.'),
  limits: limits.prefault({}).describe('What FLARE and its jobs may take at most.'),
  setuid: z.array(guestPath).default([]).describe('Programs that keep their setuid or setgid bit.'),
})

export type HardeningConfig = z.output<typeof hardeningSchema>
export type PortRule = z.output<typeof portRule>

/** Whether a text is a network in CIDR form whose host bits are zero. */
function isCidr(text: string): boolean {
  const [network = '', length = '', ...rest] = text.split('/')
  const version = isIP(network)
  if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(length)) return false
  const total = version === 4 ? 32 : 128
  if (Number(length) > total) return false
  const host = BigInt(total - Number(length))
  return (toNumber(network, version) & ((1n << host) - 1n)) === 0n
}

function toNumber(text: string, version: number): bigint {
  if (version === 4) return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  // A dotted end stands for the last two groups.
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  )
  const [head = '', tail = ''] = plain.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [front, back] = [groups(head), plain.includes('::') ? groups(tail) : []]
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}
