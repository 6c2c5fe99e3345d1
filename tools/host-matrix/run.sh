#!/usr/bin/env bash
# What a host of each release can do: in a tree of Debian 11, 12 and 13 that is entered as if it were a machine, an
# ordinary user checks the host and builds an image of debian-12 from the mirror as far as the host's tools go.
#
# Parameters:
#   --work PATH          the trees and the images; a tree that is there already is used again
#   [--suite NAME]...    codenames; absent: bullseye bookworm trixie
# Runs in: host
# Network: yes
# Output: one line for each release: what the host check and the build ended with. Fails where one is not what the
# table of tool versions says: a host with tools that are too old is refused by name, any other builds the image.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"

repository=$(readlink -f -- "$(dirname -- "$step_script")/../..")
account=builder
# cryptsetup 2.3.7 has no `luksDump --dump-json-metadata`.
too_old=(bullseye)
# shellcheck disable=SC2154 # parameters
((${#suite[@]})) || suite=(bullseye bookworm trixie)

# on_host TREE COMMAND...: as the ordinary user.
on_host() {
	local tree=$1 words=() word
	shift
	for word in "$@"; do words+=(--command "$word"); done
	bash "$repository/tools/host-matrix/enter.sh" --tree "$tree" --bind "$repository" --user "$account" "${words[@]}"
}

# versions TREE: of the tools that make an image.
versions() {
	dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Package} ${Version}\n' util-linux mmdebstrap cryptsetup-bin \
		e2fsprogs fdisk squashfs-tools qemu-utils qemu-system-x86 uidmap python3 2>&1 | paste -sd ,
}

failed=()
# shellcheck disable=SC2154 # parameters
for name in "${suite[@]}"; do
	tree=$work/hosts/$name home=$work/hosts/$name/home/$account
	bash "$repository/tools/host-matrix/make-host.sh" --output "$tree" --suite "$name" --account "$account"
	log "$name: $(versions "$tree")"
	check=0 build=0
	on_host "$tree" node "$repository/packages/cc-image-test/bin/run.js" host >"$work/$name.host.log" 2>&1 || check=$?
	rm -rf -- "$home/build"
	on_host "$tree" node "$repository/packages/cc-image-installer/bin/run.js" --set distribution=debian-12 \
		--output "/home/$account/build" --json >"$work/$name.build.log" 2>&1 || build=$?
	printf '%s: host check %s, build %s\n' "$name" "$check" "$build"
	if [[ " ${too_old[*]} " == *" $name "* ]]; then
		((build == 3)) && grep -q 'E_HOST_TOOL' "$work/$name.build.log" && grep -q 'cryptsetup' "$work/$name.build.log" ||
			failed+=("$name: not refused by name for its tools")
		((check != 0)) && grep -q 'cryptsetup' "$work/$name.host.log" || failed+=("$name: the host check does not name cryptsetup")
	else
		((build == 0)) && [[ -f $home/build/confidential_computing_image/manifest.json ]] || failed+=("$name: no image")
	fi
done
((${#failed[@]} == 0)) || die E_STEP_FAILED "$(printf '%s; ' "${failed[@]}")" "see the logs in $work"
