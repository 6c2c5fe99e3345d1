import type {CasesOf} from '../fixtures/cases.js'
import type {Software} from './sbom.js'

const purls = [
  'pkg:deb/debian/libc6@2.36?arch=amd64',
  'pkg:deb/debian/linux-image@6.1?arch=amd64',
  'pkg:pypi/nvflare@2.9.0',
]
const good: Software = {listed: purls, found: purls, unowned: []}

export const cases: CasesOf<typeof import('./sbom.js')> = {
  judgeSbom: {
    good: [[good], [{...good, unowned: ['file /etc/motd.local']}]],
    bad: {
      'a package that was added by hand': [
        {...good, found: [...purls, 'pkg:deb/debian/netcat@1?arch=amd64']},
        /in the image and not in its SBOM: pkg:deb\/debian\/netcat@1/,
      ],
      'a package of another version': [
        {...good, found: [...purls.slice(1), 'pkg:deb/debian/libc6@2.35?arch=amd64']},
        /libc6@2\.35.*; in its SBOM and not in the image: .*libc6@2\.36/,
      ],
      'a package that is not there': [{...good, found: purls.slice(1)}, /not in the image: pkg:deb\/debian\/libc6/],
      'a program that was added by hand': [
        {...good, unowned: ['program /usr/local/bin/backdoor']},
        /programs of no package: \/usr\/local\/bin\/backdoor/,
      ],
      'very many files': [
        {...good, unowned: Array.from({length: 101}, (_, index) => `file /srv/${index}`)},
        /101 files of no package: \/srv\/0, .* and 96 more/,
      ],
    },
    missing: {
      'nothing was found': [{...good, found: []}],
      'an empty SBOM': [{...good, listed: []}],
      'a list that is cut': [{...good, unowned: ['progr']}],
    },
  },
}
