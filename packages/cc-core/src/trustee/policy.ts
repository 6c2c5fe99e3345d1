import type {PolicyEntry} from './entry.js'

/** The lines between which the images stand, one a line; scripts/host/lib/trustee.sh knows them, too. */
export const markers = {begin: '\t# images: begin', end: '\t# images: end'} as const

/** Raised by each change of the text outside of the images: upload.sh never replaces newer rules by older ones. */
export const policyFormat = 1

const head = `# Resource policy for confidential VM images, format ${policyFormat}. upload.sh and revoke.sh change only the lines between the two
# markers: one line for each image.
#
# A key is released only for a path of an image, and only for evidence of that image. Everything else is refused.
# Needs Trustee v0.18 or newer: older versions have other claims, and get nothing.
package policy

import rego.v1

default allow := false

images := {
${markers.begin}
`

const rules = `${markers.end}
}

allow if {
	data.plugin == "resource"
	some image in images
	data["resource-path"] in image.paths
	released(image)
}

released(image) if {
	is_object(input.submods)

	# One processor, and nothing unknown beside it.
	{name | some name, _ in input.submods; not startswith(name, "gpu")} == {"cpu0"}
	gpus_good(image.gpu, [gpu | some name, gpu in input.submods; startswith(name, "gpu")])
	evidence := input.submods.cpu0["ear.veraison.annotated-evidence"]
	not "sample" in object.keys(evidence)
	snp := evidence.snp
	snp.measurement in image.digests
	# The guest policy is not part of the measurement: whoever launches the image chooses it.
	snp.policy_debug_allowed == false
	snp.policy_migrate_ma == false
	snp.policy_smt_allowed == image.smtAllowed
	snp.policy_single_socket == image.singleSocket
	at_least(snp.reported_tcb_bootloader, image.minimumTcb.bootloader)
	at_least(snp.reported_tcb_tee, image.minimumTcb.tee)
	at_least(snp.reported_tcb_snp, image.minimumTcb.snp)
	at_least(snp.reported_tcb_microcode, image.minimumTcb.microcode)
	accepted(image.hostData, object.get(snp, "init_data", ""))
	accepted(image.chipIds, object.get(snp, "chip_id", ""))
}

# A text is greater than any number.
at_least(value, floor) if {
	is_number(value)
	value >= floor
}

accepted(list, _) if list == null

accepted(list, value) if value in list

gpus_good("refused", gpus) if count(gpus) == 0

gpus_good("checked", gpus) if every gpu in gpus { gpu_good(gpu) }

gpus_good("required", gpus) if {
	count(gpus) > 0
	every gpu in gpus { gpu_good(gpu) }
}

# The claims of NVIDIA's remote attestation service.
gpu_good(gpu) if {
	gpu["ear.status"] == "affirming"
	claims := gpu["ear.veraison.annotated-evidence"].nvidia
	claims.secboot == true
	claims.dbgstat == "disabled"
	claims.measres == "success"
}
`

/**
 * The resource policy of a broker for a number of images.
 * @param entries by the id of the image
 */
export function policyText(entries: Readonly<Record<string, PolicyEntry>>): string {
  const lines = Object.keys(entries)
    .sort()
    .map((id) => `\t${JSON.stringify(id)}: ${JSON.stringify(entries[id])},\n`)
  return `${head}${lines.join('')}${rules}`
}
