import {Enums, Models, Serialize, Spec} from '@cyclonedx/cyclonedx-library'

import type {SbomImage} from './index.js'
import type {Component} from './software.js'

/**
 * An SBOM as CycloneDX 1.6. It has no times and no random numbers but those of the image.
 * @see https://cyclonedx.org/docs/1.6/json/
 */
export function cycloneDx({name, tool, serial, created}: SbomImage, components: readonly Component[]): string {
  const [toolName = tool, toolVersion] = tool.split(' ')
  const image = new Models.Component(Enums.ComponentType.OperatingSystem, name, {bomRef: 'image', version: serial})
  const bom = new Models.Bom({
    serialNumber: `urn:uuid:${serial}`,
    metadata: new Models.Metadata({
      timestamp: created,
      lifecycles: new Models.LifecycleRepository([Enums.LifecyclePhase.Build]),
      component: image,
      tools: new Models.Tools({
        components: new Models.ComponentRepository([
          new Models.Component(Enums.ComponentType.Application, toolName, {
            ...(toolVersion !== undefined && {version: toolVersion}),
          }),
        ]),
      }),
    }),
  })
  for (const component of components) {
    const model = modelOf(component)
    bom.components.add(model)
    image.dependencies.add(model.bomRef)
  }
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6)
  return `${new Serialize.JsonSerializer(factory).serialize(bom, {sortLists: true, space: 2})}\n`
}

function modelOf({id, kind, name, version, purl, licenses, sha256, supplier, homepage}: Component): Models.Component {
  const type = kind === 'program' ? Enums.ComponentType.Application : Enums.ComponentType.Library
  return new Models.Component(type, name, {
    ...{bomRef: id, version, purl},
    hashes: new Models.HashDictionary(sha256 === null ? [] : [[Enums.HashAlgorithm['SHA-256'], sha256]]),
    licenses: new Models.LicenseRepository(
      licenses.map((one) => ('spdx' in one ? new Models.SpdxLicense(one.spdx) : new Models.NamedLicense(one.name))),
    ),
    ...(supplier !== null && {supplier: new Models.OrganizationalEntity({name: supplier})}),
    ...(homepage !== null && {
      externalReferences: new Models.ExternalReferenceRepository([
        new Models.ExternalReference(homepage, Enums.ExternalReferenceType.Website),
      ]),
    }),
  })
}
