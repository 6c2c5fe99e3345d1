import {SPDX} from '@cyclonedx/cyclonedx-library'

/** A licence: one of the SPDX list by its id, or the words that the package has. */
export type License = {spdx: string} | {name: string}

/** Short names of Debian (copyright-format/1.0) for licences that SPDX calls otherwise. */
const debianNames: Readonly<Record<string, string>> = {
  Expat: 'MIT',
  'Apache-2': 'Apache-2.0',
  Artistic: 'Artistic-1.0-Perl',
  'BSD-2': 'BSD-2-Clause',
  'BSD-3': 'BSD-3-Clause',
  CC0: 'CC0-1.0',
  'MIT/X11': 'MIT',
  'PSF-2': 'PSF-2.0',
}

/** Classifiers and words of Python packages. */
const pythonNames: Readonly<Record<string, string>> = {
  'Apache 2.0': 'Apache-2.0',
  'Apache License 2.0': 'Apache-2.0',
  'Apache License, Version 2.0': 'Apache-2.0',
  'Apache Software License': 'Apache-2.0',
  'BSD 3-Clause': 'BSD-3-Clause',
  'ISC License (ISCL)': 'ISC',
  'MIT License': 'MIT',
  'Mozilla Public License 2.0 (MPL 2.0)': 'MPL-2.0',
  'Python Software Foundation License': 'PSF-2.0',
}

/** The GNU licences: `GPL-2+`, `LGPL-2.1`, `GFDL-1.3+`. */
function gnuName(text: string): string | null {
  const [, kind, version = '', plus] = /^([AL]?GPL|GFDL)-(\d+(?:\.\d+)?)(\+)?$/.exec(text) ?? []
  if (kind === undefined) return null
  return `${kind}-${version.includes('.') ? version : `${version}.0`}-${plus === undefined ? 'only' : 'or-later'}`
}

/** What a package calls its licence, as SPDX calls it where it has a name for it. */
export function licenseOf(text: string): License {
  const candidate = debianNames[text] ?? pythonNames[text] ?? gnuName(text) ?? text
  const id = SPDX.fixupSpdxId(candidate)
  return id === undefined ? {name: text} : {spdx: id}
}
