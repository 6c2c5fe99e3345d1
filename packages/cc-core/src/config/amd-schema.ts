import {z} from 'zod'

import {hostFolder} from './values.js'

/** What AMD's SEV-SNP needs in the guest beyond the packages of the distribution. */
export const amdSchema = z.strictObject({
  patches: hostFolder
    .nullable()
    .default(null)
    .describe(
      'Directory of `*.deb` (kernel, drivers, firmware), `*.patch` (with a line `Target: /usr/src/NAME` or `Target: PACKAGE`) and `*.sh` hooks, applied in lexical order.',
    ),
  sevGuest: z
    .enum(['auto', 'required', 'off'])
    .default('auto')
    .describe(
      'The kernel driver for attestation reports: `auto` loads it where the kernel has it; `required` refuses a kernel without it.',
    ),
})
