import {ended, runs} from '../fixtures/boots.js'
import type {CasesOf} from '../fixtures/cases.js'

const least = {least: 10}
const good = {boot: runs(['CC-HARDENED {}']), channels: {}, inputs: 10}
const ppm = (change = 0, height = 40) => {
  const pixels = Buffer.alloc(100 * height * 3)
  pixels.fill(255, 0, 3 * change)
  return Uint8Array.from(Buffer.concat([Buffer.from(`P6\n100 ${height}\n255\n`), pixels]))
}
const screen = {...good, before: ppm(), after: ppm(200)}

/** What every judge of a console has to see. */
const bad = {
  'a shell': [{...good, boot: runs(['(initramfs) ', 'CC-HARDENED {}'])}, least, /offered: '\(initramfs\)'/],
  'a login': [{...good, boot: runs(['cc login: ', 'up'])}, least, /offered: 'cc login:'/],
  'a shell at another console': [{...good, channels: {hvc0: 'root@cc:/# '}}, least, /hvc0 offers 'root@cc/],
  'an answer': [{...good, boot: runs(['uid=0(root) gid=0(root)', 'up'])}, least, /a shell answers/],
  'a machine that ends': [{...good, boot: runs(['up'], {exit: 'powered-off'})}, least, /the machine ends/],
} as const
const missing = {
  'no input was sent': [{...good, inputs: 0}, least],
  'half of the inputs were sent': [{...good, inputs: 5}, least],
  'the machine did not boot': [{...good, boot: ended(['x'], {exit: 'timed-out'})}, least],
} as const satisfies Record<string, readonly [unknown, typeof least]>

export const cases: CasesOf<typeof import('./console.js')> = {
  judgeTyping: {good: [[good, least]], bad, missing: missing},
  judgeSysrq: {
    good: [[good, least]],
    bad: {
      ...bad,
      'a kernel that obeys': [{...good, boot: runs(['sysrq: Show State', 'up'])}, least, /the kernel obeys/],
    },
    missing: missing,
  },
  judgeCtrlAltDel: {
    good: [
      [good, least],
      [{...good, boot: runs(['up'], {exit: 'powered-off'})}, least],
    ],
    bad: {'a shell': bad['a shell'], 'a login': bad['a login'], 'an answer': bad['an answer']},
    missing: missing,
  },
  judgeScreen: {
    good: [[screen, least]],
    bad: {
      'a screen that answers': [{...screen, after: ppm(400)}, least, /400 pixels are different/],
      'a screen of another size': [{...screen, after: ppm(0, 41)}, least, /pixels are different/],
      'a shell': [{...screen, boot: runs(['(initramfs) ', 'up'])}, least, /offered/],
    },
    missing: {
      'a picture that is empty': [{...screen, after: new Uint8Array(0)}, least],
      'two pictures that are empty': [{...screen, before: new Uint8Array(0), after: new Uint8Array(0)}, least],
      'a picture that is cut': [{...screen, after: ppm().subarray(0, 5000)}, least],
      'two texts in place of pictures': [{...screen, before: Buffer.from('x'), after: Buffer.from('x')}, least],
      'no input was sent': [{...screen, inputs: 0}, least],
    },
  },
}
