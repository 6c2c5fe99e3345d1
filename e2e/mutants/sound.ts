import {writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {flareImage} from '../lib/flare.js'
import {standInKit} from '../lib/kits.js'
import {buildOf, cc, folder} from '../lib/lab.js'
import {giveToUser} from '../lib/user.js'

/** The image of a client with a start-up kit, as a user builds one: what all mutants are made from. */
export async function soundImage(): Promise<string> {
  const root = folder('sound')
  const kit = standInKit(join(root, 'kit'), '')
  // No key: the words by which a search finds one.
  writeFileSync(join(kit, 'startup/client.key'), '-----BEGIN PRIVATE KEY-----\nstand-in\n-----END PRIVATE KEY-----\n', {
    mode: 0o600,
  })
  const requirements = join(root, 'requirements.txt')
  writeFileSync(requirements, '')
  giveToUser(root)
  const flare = (await flareImage()).image
  const words = ['--image', flare, '--output', folder('sound-image'), '--requirements', requirements]
  const site = ['--role', 'client', '--startup-kit', kit, '--development', '--json']
  return buildOf(await cc('nvflare_cc_hardening_builder', [...words, ...site])).image
}
