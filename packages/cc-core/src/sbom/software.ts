import {PackageURL} from 'packageurl-js'
import {z} from 'zod'

import type {Manifest} from '../manifest/index.js'
import {licenseOf, type License} from './licenses.js'

const text = z.string().nullish()

/** What scripts/tree/software.py finds in a tree. */
const softwareSchema = z.object({
  version: z.literal(1),
  debs: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      architecture: z.string(),
      source: z.string(),
      sourceVersion: z.string(),
      homepage: text,
      maintainer: text,
      licenses: z.array(z.string()),
    }),
  ),
  python: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      homepage: text,
      licenses: z.array(z.string()),
      /** Where it is in the guest: some packages are there twice, in two environments. */
      path: z.string(),
    }),
  ),
})

/** What scripts/lib/pip-lock.py writes. */
const lockSchema = z.array(z.looseObject({name: z.string(), version: z.string(), sha256: z.string().nullish()}))

/** One thing that is in an image, with what both forms of an SBOM say of it. */
export interface Component {
  /** Unique in an image. */
  id: string
  kind: 'package' | 'program'
  name: string
  version: string
  purl: string
  /** Each that is named; whether one or all of them hold is not told apart. */
  licenses: readonly License[]
  /** Of the archive that it came in, where that is known. */
  sha256: string | null
  supplier: string | null
  homepage: string | null
}

/**
 * The software of an image.
 * @param software what the step tree/list-software has printed
 * @param locks texts of the lists of what pip installed, which have the hashes of the archives
 */
export function componentsOf(
  {distribution, tool}: Pick<Manifest, 'distribution' | 'tool'>,
  software: string,
  locks: readonly string[],
): Component[] {
  const {debs, python} = softwareSchema.parse(JSON.parse(software))
  const vendor = distribution.split('-')[0] ?? distribution
  const hashes = new Map(
    locks
      .flatMap((lock) => lockSchema.parse(JSON.parse(lock)))
      .map(({name, version, sha256}) => [`${pypiName(name)} ${version}`, sha256 ?? null]),
  )
  const [ours = tool, version = '0'] = tool.split(' ')
  return [
    ...debs.map((deb): Component => {
      const qualifiers = {arch: deb.architecture, distro: distribution, upstream: `${deb.source}@${deb.sourceVersion}`}
      return {
        ...{id: `deb-${deb.name}-${deb.architecture}`, kind: 'package', name: deb.name, version: deb.version},
        purl: purl('deb', vendor, deb.name, deb.version, qualifiers),
        licenses: deb.licenses.map(licenseOf),
        ...{sha256: null, supplier: deb.maintainer ?? null, homepage: webAddress(deb.homepage)},
      }
    }),
    ...python.map((one): Component => {
      const name = pypiName(one.name)
      return {
        ...{id: `pypi-${name}-${one.path}`, kind: 'package', name, version: one.version},
        purl: purl('pypi', null, name, one.version),
        licenses: one.licenses.map(licenseOf),
        sha256: hashes.get(`${name} ${one.version}`) ?? null,
        ...{supplier: null, homepage: webAddress(one.homepage)},
      }
    }),
    {
      ...{id: 'guest-programs', kind: 'program', name: 'cc-scripts', version, purl: purl('npm', null, ours, version)},
      ...{licenses: [licenseOf('Apache-2.0')], sha256: null, supplier: null, homepage: null},
    },
  ]
}

function purl(
  type: string,
  namespace: string | null,
  name: string,
  version: string,
  qualifiers: Record<string, string> | null = null,
): string {
  return new PackageURL(type, namespace, name, version, qualifiers, null).toString()
}

/** Some packages have UNKNOWN or a path there, and both forms of an SBOM take an address alone. */
const webAddress = (word: string | null | undefined): string | null =>
  word != null && /^https?:\/\/\S+$/.test(word) && URL.canParse(word) ? word : null

/** https://packaging.python.org/en/latest/specifications/name-normalization/ */
const pypiName = (name: string) => name.toLowerCase().replace(/[-_.]+/g, '-')
