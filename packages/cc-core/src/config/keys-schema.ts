import {z} from 'zod'

import {guestPath, hostPath} from './values.js'

const ipv4 = z.ipv4('expected an IPv4 address like 192.0.2.1')
const seconds = (most: number) => z.int().min(1).max(most)

/** How the initrd reaches the key broker. It has IPv4 only: ipconfig of klibc, which initramfs-tools brings. */
const network = z.strictObject({
  interface: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,14}$/, 'expected an interface like eth0 or enp1s0')
    .nullable()
    .default(null)
    .describe('Network interface in the initrd; null = the first one.'),
  address: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/(3[0-2]|[12]?\d)$/, 'expected an address with prefix like 192.0.2.10/24')
    .refine((text) => z.ipv4().safeParse(text.split('/')[0]).success, 'expected an IPv4 address with prefix')
    .nullable()
    .default(null)
    .describe('Fixed address with prefix, like `192.0.2.10/24`; null = DHCP.'),
  gateway: ipv4.nullable().default(null).describe('Gateway, with a fixed address.'),
  dns: z.array(ipv4).max(3).default([]).describe('Name servers; [] = those of DHCP.'),
  timeoutSeconds: seconds(300).default(30).describe('How long an address may take.'),
})

/**
 * Whose time the guest takes before it looks at certificates: without this, that of its host. Network Time Security
 * (RFC 8915), so that the network cannot say another time.
 */
const clock = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .regex(
            /^[a-z\d]([a-z\d.-]*[a-z\d])?(:\d{1,5})?$/i,
            'expected a server like time.example.org or 192.0.2.1:4460',
          ),
      )
      .max(8)
      .default([])
      .describe(
        'NTS servers that set the clock before a key is asked for, with the port of their key exchange where it is not 4460; [] = the clock of the host. The base image gets the package `chrony` in place of systemd-timesyncd.',
      ),
    agreeing: z.int().min(1).max(8).default(1).describe('How many of them have to agree.'),
    authorities: guestPath
      .default('/etc/ssl/certs/ca-certificates.crt')
      .describe(
        'File in the image with the certificate authorities of these servers: of the package ca-certificates, or one of `os.files`.',
      ),
    timeoutSeconds: seconds(300).default(30).describe('How long they may take before the machine powers off.'),
  })
  .refine(({servers, agreeing}) => servers.length === 0 || agreeing <= servers.length, {
    path: ['agreeing'],
    error: 'expected at most as many as there are servers',
  })

/** Values of boot.conf hold few characters, so that nothing in them has to be quoted. */
const bootConfText = /^[A-Za-z0-9_.,:/%=+@{}-]+$/

const tcbPart = z.int().min(0).max(255).default(0)
const hexOf = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes * 2} lower-case hexadecimal digits`)

/** The part of a resource policy that the image itself does not decide. */
const policy = z.strictObject({
  minimumTcb: z
    .strictObject({
      bootloader: tcbPart.describe('Least version of the boot loader of the secure processor.'),
      tee: tcbPart.describe('Least version of the operating system of the secure processor.'),
      snp: tcbPart.describe('Least version of the SNP firmware.'),
      microcode: tcbPart.describe('Least version of the microcode.'),
    })
    .prefault({})
    .describe(
      'Least versions of the TCB that a report must show. 0 = any, which also accepts firmware with known holes; for `tee` it is what processors have.',
    ),
  hostData: z
    .union([z.literal('any'), z.array(hexOf(32)).min(1)])
    .nullable()
    .default(null)
    .describe(
      'HOST_DATA that a launch may have, in hexadecimal, the default first; null = that of the image, which `launch_cc_image.sh` sets; `any`.',
    ),
  chipIds: z
    .array(hexOf(64))
    .min(1)
    .nullable()
    .default(null)
    .describe('Ids of the processors that the image may run on, in hexadecimal; null = any.'),
})

export const kbsSchema = z.strictObject({
  url: z
    .url({protocol: /^https$/, error: 'expected a URL that begins with https://'})
    .regex(bootConfText, 'expected a plain https URL without query')
    .nullable()
    .default(null)
    .describe('Key broker (Trustee) that releases keys; https only.'),
  caFile: hostPath
    .nullable()
    .default(null)
    .describe('Certificate (PEM) of the authority that signed the certificate of the key broker.'),
  ca: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('That certificate as text, in place of `caFile`; the manifest of an image has it so.'),
  resource: z
    .string()
    .regex(/^[\w.{}-]+\/[\w.{}-]+\/[\w.{}-]+$/, 'expected REPOSITORY/TYPE/TAG')
    .default('default/{owner}/{partition}')
    .describe(
      'Resource that holds a key. `{partition}` stands for the name of the partition, `{owner}` for what the key opens: the root that several sites share, else the site, or the image before the third stage; also `{site}` and `{image}`.',
    ),
  client: hostPath
    .nullable()
    .default(null)
    .describe('The program kbs-client of Trustee, built for the distribution of the image, or linked statically.'),
  clientSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
    .nullable()
    .default(null)
    .describe('The sha256 that it must have.'),
  policy: policy.prefault({}).describe('What the broker demands besides the measurement: `trustee/` of the image.'),
  timeoutSeconds: seconds(600).default(60).describe('How long one request may take.'),
  attempts: z.int().min(1).max(20).default(3).describe('How often a request is made before the machine powers off.'),
  network: network.prefault({}).describe('Network of the initrd, for the time of the requests.'),
  clock: clock.prefault({}).describe('Who sets the clock before certificates are looked at.'),
})

/** The fields of the guest that are mixed into a derived key: GUEST_FIELD_SELECT of MSG_KEY_REQ, by its bits. */
export const teeDerivedFields = ['policy', 'image-id', 'family-id', 'measurement', 'svn', 'tcb-version'] as const

export const teeDerivedSchema = z
  .strictObject({
    rootKey: z
      .enum(['vcek', 'vmrk'])
      .default('vcek')
      .describe('Key of the processor from which the key is derived; `vmrk` is that of a migration agent.'),
    fields: z
      .array(z.enum(teeDerivedFields))
      .default(['policy', 'measurement'])
      .refine(
        (fields) => fields.includes('measurement'),
        "expected 'measurement' among them: any image would get the key",
      )
      .describe('What is mixed into the key, so that a guest that differs in it gets another key.'),
    vmpl: z.int().min(0).max(3).default(0).describe('Privilege level (VMPL) of the guest.'),
    svn: z
      .int()
      .min(0)
      .max(0xffff_ffff)
      .nullable()
      .default(null)
      .describe('Value for the field `svn`: at most `launch.idBlock.svn`, or 0 without an ID block.'),
    tcbVersion: z
      .string()
      .regex(/^0x[0-9a-f]{1,16}$/, 'expected a TCB version as a hexadecimal number like 0xd315000000000004')
      .nullable()
      .default(null)
      .describe('Value for the field `tcb-version`: at most the committed TCB of the machine, as a report shows it.'),
  })
  .refine(
    ({fields, svn}) => fields.includes('svn') === (svn !== null),
    "expected 'svn' among the fields and as a value, or in neither place",
  )
  .refine(
    ({fields, tcbVersion}) => fields.includes('tcb-version') === (tcbVersion !== null),
    "expected 'tcb-version' among the fields and tcbVersion as a value, or neither",
  )
