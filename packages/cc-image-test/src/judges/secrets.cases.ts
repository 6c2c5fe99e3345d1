import type {CasesOf} from '../fixtures/cases.js'

const folder = {folder: '/image/keys'}
const key = {name: 'root.key', mode: 0o100600, isFile: true}
const keys = {mode: 0o40700, entries: [key]}
const search = {keys: ['root.key'], files: ['image.qcow2', 'initrd.img, unpacked', 'trustee/upload.sh'], found: []}
const disk = {disk: 'image.qcow2', others: ['trustee/upload.sh']}

export const cases: CasesOf<typeof import('./secrets.js')> = {
  judgeKeysPrivate: {
    good: [[keys, folder]],
    bad: {
      'a folder that others can read': [{...keys, mode: 0o40755}, folder, /keys\/ has mode 0755/],
      'a key that others can read': [{...keys, entries: [{...key, mode: 0o100640}]}, folder, /root\.key has mode 0640/],
      'a link': [{...keys, entries: [{...key, isFile: false}]}, folder, /root\.key is not a file/],
    },
    missing: {'no key': [{...keys, entries: []}, folder]},
  },
  judgeKeysOnlyThere: {
    good: [[search, disk]],
    bad: {
      'a key in another file': [
        {...search, found: [{file: 'notes.txt', text: 'keys/root.key in base64'}]},
        disk,
        /notes\.txt holds keys\/root\.key in base64/,
      ],
    },
    missing: {
      'no key': [{...search, keys: []}, disk],
      'a folder that was not searched': [{...search, files: search.files.filter((name) => !name.includes('/'))}, disk],
      'no file': [{...search, files: []}, disk],
      'the initrd was not unpacked': [
        {...search, files: search.files.filter((name) => !name.includes('unpacked'))},
        disk,
      ],
    },
  },
  judgeFiles: {
    good: [[{names: ['vmlinuz']}, {known: ['vmlinuz', 'keys']}]],
    bad: {'a stranger': [{names: ['vmlinuz', 'x']}, {known: ['vmlinuz']}, /x is not described/]},
    missing: {'an empty folder': [{names: []}, {known: ['vmlinuz']}]},
  },
}
