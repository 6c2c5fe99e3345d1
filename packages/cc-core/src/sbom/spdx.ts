import type {SbomImage} from './index.js'
import type {License} from './licenses.js'
import type {Component} from './software.js'

/**
 * An SBOM as SPDX 2.3, JSON. It has no times and no random numbers but those of the image.
 * @see https://spdx.github.io/spdx-spec/v2.3/
 */
export function spdx({name, tool, serial, created}: SbomImage, components: readonly Component[]): string {
  const ids = new Map(components.map(({id}, index) => [id, `SPDXRef-${index + 1}-${idText(id)}`]))
  const extracted = new Map<string, string>()
  const refOf = (license: License): string => {
    if ('spdx' in license) return license.spdx
    const ref = `LicenseRef-${idText(license.name)}`
    extracted.set(ref, license.name)
    return ref
  }
  const packages = components.map(({id, name: own, version, purl, licenses, sha256, supplier, homepage, kind}) => ({
    SPDXID: ids.get(id),
    name: own,
    versionInfo: version,
    supplier: supplier === null ? 'NOASSERTION' : `Organization: ${supplier}`,
    downloadLocation: 'NOASSERTION',
    ...(homepage !== null && {homepage}),
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licenses.length === 0 ? 'NOASSERTION' : [...new Set(licenses.map(refOf))].join(' AND '),
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: kind === 'program' ? 'APPLICATION' : 'LIBRARY',
    ...(sha256 !== null && {checksums: [{algorithm: 'SHA256', checksumValue: sha256}]}),
    externalRefs: [{referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl}],
  }))
  const image = {
    ...{SPDXID: 'SPDXRef-image', name, versionInfo: serial, supplier: 'NOASSERTION', downloadLocation: 'NOASSERTION'},
    ...{filesAnalyzed: false, licenseConcluded: 'NOASSERTION', licenseDeclared: 'NOASSERTION'},
    ...{copyrightText: 'NOASSERTION', primaryPackagePurpose: 'OPERATING-SYSTEM'},
  }
  const contains = packages.map(({SPDXID}) => ({
    ...{spdxElementId: 'SPDXRef-image', relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID},
  }))
  const document = {
    ...{spdxVersion: 'SPDX-2.3', dataLicense: 'CC0-1.0', SPDXID: 'SPDXRef-DOCUMENT', name},
    documentNamespace: `urn:uuid:${serial}`,
    creationInfo: {
      created: created.toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: [`Tool: ${tool.replace(' ', '-')}`],
    },
    packages: [image, ...packages],
    hasExtractedLicensingInfos: [...extracted].sort().map(([licenseId, text]) => ({
      licenseId,
      name: text,
      extractedText: `The licence that the package calls '${text}'; its text is in the package.`,
    })),
    relationships: [
      ...[{spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-image'}],
      ...contains,
    ],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Letters, digits, "." and "-", as ids of SPDX have them. */
const idText = (text: string) => text.replace(/[^A-Za-z0-9.-]+/g, '-')
