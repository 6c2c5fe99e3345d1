#!/usr/bin/env bash
# Check the image in this folder and this host, and copy the image to where it is run from.
#
# Usage: install_cc_image.sh [options]
#
#   --check              check only: change nothing; exit status 3 where the host lacks something, 4 for an altered image
#   --to DIR             where the image goes; by default /var/lib/cc-images/NAME. What was there is kept as DIR.previous
#   --allow-development  install an image of the profile development, whose secrets this host knows
#   --require-signature FILE  refuse an image whose manifest and provenance are not signed by this public key, which you have
#                        from its builder and not from this folder: PEM, or that of minisign
#   --image DIR          the image directory; by default the folder of this script
#   --systemd FILE       also write a systemd unit that runs the installed image
#   --libvirt FILE       also write a libvirt domain that does
#   --gpu-admin-tools FILE  NVIDIA's nvidia_gpu_tools.py, to look whether GPUs are in confidential-computing mode
#   --vcpus N, --cpu TYPE, --memory SIZE, --network WAY, --forward PORTS, --input FILE, --output FILE, --log FILE, --gpu ADDRESS,
#   --mmio64 MIB, --host-data TEXT, --ovmf FILE, --qemu FILE
#                        the machine, as launch_cc_image.sh has it: for the checks, the unit and the domain
#
# Every file is compared with the manifest, and so is the content of every partition in the qcow2. A production image is
# installed only on a host that has everything. Its keys are not copied: they belong to the key broker.

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/machine.sh
. "$here/lib/machine.sh"
# shellcheck source=lib/sev-snp.sh
. "$here/lib/sev-snp.sh"
# shellcheck source=lib/checks.sh
. "$here/lib/checks.sh"
# shellcheck source=lib/signature.sh
. "$here/lib/signature.sh"
# shellcheck source=lib/services.sh
. "$here/lib/services.sh"

image=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
check='' target='' allow_development='' unit='' domain='' gpu_tools='' public_key=''
while (($#)); do
	case $1 in
	--help | -h) usage && exit 0 ;;
	--check) check=1 && shift && continue ;;
	--allow-development) allow_development=1 && shift && continue ;;
	--*) (($# >= 2)) || fail 2 "$1 needs a value" "see --help" ;;
	*) fail 2 "unexpected argument '$1'" "see --help" ;;
	esac
	case $1 in
	--image) image=$(absolute "$2") ;;
	--to) target=$(absolute "$2") ;;
	--systemd) unit=$(absolute "$2") ;;
	--libvirt) domain=$(absolute "$2") ;;
	--require-signature) public_key=$(absolute "$2") ;;
	--gpu-admin-tools) gpu_tools=$(absolute "$2") ;;
	*) machine_option "$1" "$2" || fail 2 "unknown option '$1'" "see --help" ;;
	esac
	shift 2
done

take_statements
[[ -z $public_key ]] || check_signatures
read_image "$image" "$statements"
machine_check
target=${target:-/var/lib/cc-images/$name}
target=${target%/}
[[ -n $target && $target != "$(readlink -f -- "$image")" ]] || fail 2 "--to: the image is in '$target' already"
[[ $target$firmware$input$output$log != *[$'\n'\"\\]* ]] || fail 2 "a path holds a quotation mark, a backslash or a line end"
[[ -z $domain || ${#forwards[@]} -eq 0 ]] || fail 2 "--forward is not for a libvirt domain" "use --network bridge=NAME"
find_firmware
[[ -z $domain || -n $firmware ]] || fail 3 "a libvirt domain needs the firmware of the kind AmdSev, and there is none" "name it: --ovmf FILE"

printf '%s: %s image of the profile %s\n' "$name" "$stage" "$profile"
[[ -z $public_key ]] || report ok signature "manifest and provenance are signed by the key in $public_key"
check_image
check_machine
((altered == 0)) || fail 4 "$altered of the parts of $image are not as they were built; nothing was installed" "take an unaltered copy of the image"
if [[ -n $check ]]; then
	((missing == 0)) || fail 3 "this host lacks $missing of what running the image confidentially needs"
	exit 0
fi
if [[ $profile == production ]]; then
	((missing == 0)) || fail 3 "this host lacks $missing of what a production image needs; nothing was installed"
elif [[ -z $allow_development ]]; then
	fail 2 "$name is a development image: this host knows its secrets; nothing was installed" \
		"build it with profile: production, or add --allow-development to try things out"
elif ((missing > 0)); then
	printf 'note: this host cannot run it confidentially; launch_cc_image.sh --no-tee starts it in an ordinary machine\n'
fi

install_image
[[ -z $unit ]] || write_file "$unit" systemd_unit
[[ -z $domain ]] || write_file "$domain" libvirt_domain
printf 'installed in %s\n' "$target"
[[ -z $unit ]] || printf '  next: sudo systemctl daemon-reload && sudo systemctl enable --now %s\n' "$(quote "${unit##*/}")"
[[ -z $domain ]] || printf '  next: virsh define %s && virsh start %s\n' "$(quote "$domain")" "$name"
[[ -n $unit || -n $domain ]] || printf '  next: %s\n' "$(quote "$target/launch_cc_image.sh")"
