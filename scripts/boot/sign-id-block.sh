#!/usr/bin/env bash
# Sign an ID block for each expected launch digest of an AMD SEV-SNP guest.
#
# With an ID block the firmware itself refuses a launch with another measurement or another policy, and the SVN in it is the
# most that a guest may mix into a derived key (SEV-SNP firmware ABI, SNP_LAUNCH_FINISH and MSG_KEY_REQ).
#
# Parameters:
#   --tool FILE             sev-snp-measure, or snpguest
#   --measured FILE         lines of number of processors, processor type and digest, as measure-sev-snp prints them
#   --id-key FILE           private key that signs the block, EC P-384, PEM, without a passphrase
#   --author-key FILE       private key that signs the public part of the ID key, EC P-384, PEM
#   --policy TEXT           guest policy, for example 0x30000
#   --svn NUMBER            security version of the guest
#   --family-id TEXT        16 bytes in hexadecimal
#   --image-id TEXT         16 bytes in hexadecimal
# Runs in: host
# Network: no
# Output: standard output: the lines, each with ID block and ID authentication information in base64

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

mapfile -t lines <"$measured"
((${#lines[@]} > 0)) || die E_BUG "$measured has no lines"
kind=$("$tool" --version 2>&1) || die E_HOST_TOOL "$tool does not run: ${kind:0:300}" "correct launch.tool in cc.yaml"
case $kind in
snpguest\ *)
	signed=()
	work=$(mktemp -d)
	trap 'rm -rf -- "$work"' EXIT
	for line in "${lines[@]}"; do
		message=$("$tool" --quiet generate id-block "$id_key" "$author_key" "0x${line##* }" --family-id "$family_id" --image-id "$image_id" \
			--svn "$svn" --policy "$policy" --id-file "$work/block" --auth-file "$work/auth" 2>&1) ||
			die E_STEP_FAILED "snpguest failed: $(end_of "$message")"
		signed+=("$(<"$work/block") $(<"$work/auth")")
	done
	;;
sev-snp-measure\ *)
	# The interpreter of its virtual environment has its library, else the one that the program names.
	python=${tool%/*}/python3
	if [[ ! -x $python ]]; then
		read -r python <"$tool" || die E_HOST_TOOL "'$tool' cannot be read" "correct launch.tool in cc.yaml"
		python=${python#'#!'} python=${python# } python=${python#/usr/bin/env }
		python=$(type -P "${python%% *}") || die E_HOST_TOOL "the interpreter of '$tool' cannot be found" "leave launch.tool out: the tool is installed then"
	fi
	"$python" -I -c 'import sevsnpmeasure.id_block' 2>/dev/null ||
		die E_HOST_TOOL "$python, the interpreter of '$tool', does not have its library" "name the program in its virtual environment, or leave launch.tool out: the tool is installed then"
	message=$("$python" -I "$(dirname -- "${BASH_SOURCE[0]}")/id_block.py" "$id_key" "$author_key" "$policy" "$svn" "$family_id" "$image_id" \
		"${lines[@]##* }" 2>&1) || die E_STEP_FAILED "the library of sev-snp-measure failed: $(end_of "$message")"
	mapfile -t signed <<<"$message"
	;;
*) die E_HOST_TOOL "$tool is neither sev-snp-measure nor snpguest: it says '${kind:0:100}'" "correct launch.tool in cc.yaml" ;;
esac

((${#signed[@]} == ${#lines[@]})) || die E_STEP_FAILED "${tool##*/} made ${#signed[@]} blocks for ${#lines[@]} digests"
for index in "${!lines[@]}"; do
	[[ ${signed[index]} =~ ^[A-Za-z0-9+/]{128}' '[A-Za-z0-9+/]{5462}==$ ]] ||
		die E_STEP_FAILED "${tool##*/} printed no ID block: '${signed[index]:0:200}'"
	printf '%s %s\n' "${lines[index]}" "${signed[index]}"
done
