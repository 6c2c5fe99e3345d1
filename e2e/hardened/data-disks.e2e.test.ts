import {randomBytes} from 'node:crypto'
import {mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {boot, type DataDisk} from '../lib/boot.js'
import {flareImage} from '../lib/flare.js'
import {standInKit} from '../lib/kits.js'
import {buildOf, cc, folder, lab, runAsUser} from '../lib/lab.js'
import {giveToUser} from '../lib/user.js'

const hour = 3_600_000
type Role = 'client' | 'server'
const secret = 'rows of a hospital'
/** More than a quarter of the memory of the machines here, in bytes. */
const largeResult = 600_000_000

/** The program of a start-up kit: works with the data disk of its site as FLARE's user, and says what comes of it. */
const program = (role: Role) => `try() { "$@" 2>/dev/null && echo "CC-TEST $* yes" || echo "CC-TEST $* no"; }
input=/mnt/data/nvflare/input output=/mnt/data/nvflare/output jobs=/tmp/nvflare/jobs-storage
echo "CC-TEST places: $(stat -f -c %T /tmp/nvflare "$TMPDIR" | paste -sd ' ')"
if [[ ${role} == client ]]; then
	echo "CC-TEST read: $(<$input/rows.csv)"
	echo "CC-TEST link: $(cat $input/link.csv 2>&1)"
	try touch $input/new
	echo "CC-TEST applog: $(stat -c '%U %a' /applog)"
	try touch /applog/job.log
	echo "CC-TEST etc: $(stat -c %U /etc)"
else
	echo "CC-TEST before: $(cat $output/model 2>/dev/null)"
	echo trained >$output/model
	try install -m 755 /bin/true $output/true
	try $output/true
	# As FLARE keeps a job: its result is larger than the memory that /tmp may take.
	echo "CC-TEST job before: $(stat -c %s $jobs/job/workspace 2>/dev/null)"
	mkdir -p $jobs/job && head -c ${largeResult} /dev/zero >$jobs/job/workspace
	echo "CC-TEST job: $(stat -c %s $jobs/job/workspace)"
	sync
fi
echo CC-TEST done
`

let flare: string
let requirements: string
let kits: string

beforeAll(async () => {
  flare = (await flareImage()).image
  const root = folder('data-disks')
  requirements = join(root, 'requirements.txt')
  writeFileSync(requirements, '')
  kits = join(root, 'kits')
  for (const role of ['client', 'server'] as const) standInKit(join(kits, role), program(role))
  giveToUser(root)
}, hour)

/** The image of a site that has a key for its data disk, or none. */
async function site(name: string, role: Role, key: string | null, logs = 'console'): Promise<string> {
  const output = folder(`site-${name}`)
  const mount = role === 'client' ? 'inputKey' : 'outputKey'
  const words = [
    '--image',
    flare,
    '--output',
    output,
    '--requirements',
    requirements,
    '--startup-kit',
    join(kits, role),
  ]
  const keyWords = key === null ? [] : ['--set', `hardening.mounts.${mount}=${key}`]
  const options = ['--role', role, '--development', '--set', `hardening.logs=${logs}`, '--json']
  return buildOf(await cc('nvflare_cc_hardening_builder', [...words, ...options, ...keyWords])).image
}

function keyFile(name: string): string {
  const file = join(folder(name), 'disk.key')
  writeFileSync(file, randomBytes(32), {mode: 0o600})
  giveToUser(dirname(file))
  return file
}

/** A file system with one file, in a raw disk: as it is, or in LUKS2 as the usage guide makes it. */
async function inputDisk(name: string, key: string | null): Promise<string> {
  const root = folder(name)
  const disk = join(root, 'disk.raw')
  mkdirSync(join(root, 'content'))
  writeFileSync(join(root, 'content/rows.csv'), secret)
  // What the host would like to have read as data of the site.
  symlinkSync('/mnt/cc/ro/kit/startup/sub_start.sh', join(root, 'content/link.csv'))
  giveToUser(root)
  const encrypt = `
    # Blocks of the size that the encrypted disk has sectors of.
    mkfs.ext4 -q -b 4096 -d content plain 32M
    [[ -n $1 ]] || { mv plain disk.raw; exit; }
    truncate -s 33M disk.raw
    cryptsetup luksFormat --batch-mode --disable-locks --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \\
      --hash sha256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k --luks2-keyslots-size 512k \\
      --offset 2048 --key-file "$1" disk.raw
    cryptsetup luksDump --batch-mode --disable-locks --dump-volume-key --volume-key-file volume-key --key-file "$1" disk.raw
    echo '[[1048576, 33554432]]' >pieces
    /usr/bin/python3 -B "$2/lib/encrypt.py" plain disk.raw pieces volume-key`
  const argv = ['bash', '-ec', `cd "$0"; ${encrypt}`, root, key ?? '', lab().scripts]
  const {exitCode, stderr} = await runAsUser(argv)
  if (exitCode !== 0) throw new Error(stderr)
  return disk
}

/** What the console says of a boot: the mounts as the machine reports them, and what the program of the kit says. */
async function start(image: string, dataDisks: DataDisk[]) {
  const options = {memory: '2048', timeoutMs: 900_000, until: 'CC-TEST done'}
  const {console: lines, ended} = await boot(image, {...options, dataDisks})
  const report = lines.find((line) => line.includes('CC-HARDENED {')) ?? '{"mounts":null}'
  const {mounts} = JSON.parse(report.slice(report.indexOf('{'))) as {mounts: unknown}
  const said = lines.flatMap((line) => /CC-TEST (.*)/.exec(line)?.[1]?.trim() ?? [])
  const failed = lines.flatMap((line) => /cc: FAILED: (.*)/.exec(line)?.[1] ?? [])
  return {mounts, said, failed, ended, lines}
}

const input = (file: string): DataDisk => ({file, serial: 'nvflare-input', readOnly: true})
const output = (file: string): DataDisk => ({file, serial: 'nvflare-output'})

/** What the program of a client has to say, whatever disk it has. */
const ofClient = [
  'places: ext2/ext3 ext2/ext3',
  `read: ${secret}`,
  'link: cat: /mnt/data/nvflare/input/link.csv: Too many levels of symbolic links',
  'touch /mnt/data/nvflare/input/new no',
  'applog: cc 750',
  'touch /applog/job.log yes',
  'etc: root',
  'done',
]

describe('a client', () => {
  it(
    'reads its input disk with its key, and changes nothing on it; the disk of a server is left alone',
    async () => {
      const key = keyFile('client-key')
      const image = await site('client', 'client', key)
      const [disk, other] = [await inputDisk('client-input', key), await inputDisk('client-output', null)]
      const before = readFileSync(other)
      const {mounts, said, lines} = await start(image, [input(disk), output(other)])
      expect(said, lines.join('\n')).toEqual(ofClient)
      expect(mounts).toMatchObject({input: 'disk-encrypted', output: 'ignored'})
      expect(readFileSync(other).equals(before)).toBe(true)

      // Whoever owns the host has another disk for it: not encrypted, or with a key of their own.
      const plain = await start(image, [input(await inputDisk('client-plain', null))])
      expect(plain.ended).toBe('powered-off')
      expect(plain.failed).toEqual([
        expect.stringMatching(/nvflare-input: its LUKS header (cannot be read|is refused)/),
      ])
      const foreign = await start(image, [input(await inputDisk('client-foreign', keyFile('foreign-key')))])
      expect(foreign.ended).toBe('powered-off')
      expect(foreign.failed).toEqual([expect.stringContaining('nvflare-input: the key does not open it')])
    },
    hour,
  )

  it(
    'without a key reads a plain disk',
    async () => {
      const image = await site('client-plain', 'client', null)
      const {mounts, said} = await start(image, [input(await inputDisk('plain-input', null))])
      expect(said).toEqual(ofClient)
      expect(mounts).toMatchObject({input: 'disk-plain'})
    },
    hour,
  )
})

describe('the log disk', () => {
  it(
    'has the log of FLARE as text, and no link of the host on it is followed',
    async () => {
      const image = await site('client-log', 'client', null, 'disk')
      const root = folder('log-disk')
      const disk = join(root, 'log.raw')
      mkdirSync(join(root, 'content'))
      symlinkSync('/etc', join(root, 'content/applog'))
      symlinkSync('/etc/hosts', join(root, 'content/flare.log'))
      giveToUser(root)
      const {exitCode, stderr} = await runAsUser(['mkfs.ext4', '-q', '-d', join(root, 'content'), disk, '8M'])
      if (exitCode !== 0) throw new Error(stderr)
      const text = () => readFileSync(disk).subarray(0, 65_536).toString('latin1')
      // The console has nothing of it: the machine is watched by its disk.
      let stop: (() => void) | undefined
      const watch = setInterval(() => {
        if (text().includes('CC-TEST done')) stop?.()
      }, 1000)
      const {console: lines} = await boot(image, {
        ...{
          memory: '2048',
          timeoutMs: 900_000,
          until: 'never',
          dataDisks: [input(await inputDisk('log-input', null)), {file: disk, serial: 'nvflare-log'}],
        },
        onLine: (_, end) => {
          stop = end
        },
      }).finally(() => {
        clearInterval(watch)
      })
      for (const line of ofClient) expect(text(), lines.join('\n')).toContain(`CC-TEST ${line}`)
      expect(lines.join('\n')).not.toContain('CC-TEST')
      expect(lines.find((line) => line.includes('CC-HARDENED {'))).toContain('"log":"disk-raw"')
    },
    hour,
  )
})

describe('a server', () => {
  it(
    'formats its empty output disk with its key, and finds there what it and its jobs have written before',
    async () => {
      const image = await site('server', 'server', keyFile('server-key'))
      const disk = join(folder('server-output'), 'disk.raw')
      writeFileSync(disk, '')
      truncateSync(disk, 1024 ** 3)
      giveToUser(dirname(disk))
      const places = 'places: ext2/ext3 ext2/ext3'
      const rest = ['install -m 755 /bin/true /mnt/data/nvflare/output/true yes', '/mnt/data/nvflare/output/true no']
      const after = (bytes: string) => [`job before: ${bytes}`.trim(), `job: ${largeResult}`, 'done']
      const first = await start(image, [output(disk)])
      expect(first.said, first.lines.join('\n')).toEqual([places, 'before:', ...rest, ...after('')])
      expect(first.mounts).toMatchObject({input: 'none', output: 'disk-encrypted'})
      expect(readFileSync(disk).includes('trained')).toBe(false)
      const second = await start(image, [output(disk)])
      expect(second.said, second.lines.join('\n')).toEqual([
        ...[places, 'before: trained', ...rest, ...after(String(largeResult))],
      ])
    },
    hour,
  )
})
