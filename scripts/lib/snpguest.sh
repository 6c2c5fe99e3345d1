# shellcheck shell=bash
# The versions of snpguest that the guest can use. Sourced after step.sh and tree.sh.

# snpguest_check TREE PROGRAM: it runs in the tree and is 0.10 or newer. Older ones read other options of `snpguest key`,
# or panic; that must not come out at the first boot. Prints its name and version.
snpguest_check() {
	local said
	said=$(in_tree "$1" "$2" --version 2>&1) ||
		die E_PACKAGE "snpguest does not run in the tree: ${said##*$'\n'}" "give another one: attestation.snpguest"
	[[ $said =~ ^snpguest\ ([0-9]{1,6})\.([0-9]{1,6})\.[0-9]+ ]] ||
		die E_PACKAGE "$2 does not say that it is snpguest: '${said:0:100}'" "give another one: attestation.snpguest"
	((10#${BASH_REMATCH[1]} > 0 || 10#${BASH_REMATCH[2]} >= 10)) ||
		die E_PACKAGE "'$said' is too old: 0.10.0 or newer is needed" "give another one: attestation.snpguest"
	printf '%s\n' "${BASH_REMATCH[0]}"
}
