#!/usr/bin/env bash
# Put the programs into a tree, and on the list of its initrd, that the key sources of its partitions call.
#
# Parameters:
#   --tree DIR                     the tree to change
#   [--key-source NAME]...         a key source of the layout
#   [--root-key-source NAME]       that of cc-root, which is opened in the initrd
#   [--kbs-client FILE]            the program kbs-client of Trustee; without it the one that is in the tree
#   [--kbs-client-sha256 TEXT]     what it must be
#   [--clock-authorities PATH]     the file of the tree with the authorities of NTS servers, where these set the clock
# Runs in: namespace
# Network: no
# Output: /usr/local/bin/kbs-client, /usr/lib/cc/initrd-programs and /usr/lib/cc/clock-authorities.pem where they are needed

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/elf.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/elf.sh"
# shellcheck source=../lib/kbs-client.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/kbs-client.sh"
# shellcheck source=../lib/snpguest.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/snpguest.sh"
step "$@"

programs="$tree/usr/lib/cc/initrd-programs" authorities="$tree/usr/lib/cc/clock-authorities.pem"
rm -f -- "$programs" "$authorities"

uses() { [[ " ${key_source[*]} " == *" $1 "* ]]; }

# chroot: a link in the tree must not lead out of it.
has_program() { chroot "$tree" test -x "$1"; }

if [[ -n $kbs_client ]]; then
	[[ -n $kbs_client_sha256 ]] || die E_CONFIG "kbs.clientSha256 is missing for '$kbs_client'" "write down the hash of the program that you trust"
	found=$(sha256sum <"$kbs_client")
	[[ ${found%% *} == "$kbs_client_sha256" ]] ||
		die E_SHA256 "$kbs_client has the sha256 ${found%% *}, kbs.clientSha256 is $kbs_client_sha256" "take the right file"
	# shellcheck disable=SC2016 # expands in there
	chroot "$tree" sh -c 'mkdir -p /usr/local/bin && rm -f "$1" && cat >"$1" && chmod 755 "$1"' - /usr/local/bin/kbs-client <"$kbs_client"
fi

if uses kbs; then
	has_program /usr/local/bin/kbs-client ||
		die E_CONFIG "a partition has the key source 'kbs', and the tree has no /usr/local/bin/kbs-client" "name the program: kbs.client in cc.yaml"
	copy=$(mktemp -d)/kbs-client
	trap 'rm -rf -- "${copy%/*}"' EXIT
	# What is in the tree is what runs: also where it came there another way.
	chroot "$tree" cat /usr/local/bin/kbs-client >"$copy"
	kbs_client_check "$tree" "$copy"
	# The keys of all partitions are fetched in the initrd: the network is there only for that.
	printf '%s\n' /usr/local/bin/kbs-client base64 timeout ip ipconfig >>"$programs"
fi
if [[ -n $clock_authorities ]]; then
	has_program /usr/sbin/chronyd ||
		die E_CONFIG "kbs.clock.servers is set, and the tree has no /usr/sbin/chronyd" "set kbs.clock in the base image, or install it there: os.packages: [chrony]"
	said=$(in_tree "$tree" /usr/sbin/chronyd --version) || die E_PACKAGE "chronyd does not run in the tree"
	[[ $said == *+NTS* ]] || die E_PACKAGE "this chronyd does not support NTS: '${said:0:200}'" "take version 4.0 or newer"
	chroot "$tree" cat -- "$clock_authorities" >"$authorities" 2>/dev/null ||
		die E_CONFIG "kbs.clock.authorities: the tree has no file '$clock_authorities'" "install it: os.packages: [ca-certificates], or os.files"
	grep -q -- '-----BEGIN CERTIFICATE-----' "$authorities" ||
		die E_CONFIG "kbs.clock.authorities: '$clock_authorities' holds no certificate in PEM form"
	chmod 644 "$authorities"
	printf '%s\n' chronyd timeout >>"$programs"
	# It sets the clock once, in the initrd; as a service it would take the time of any server.
	chroot "$tree" sh -c 'cd /etc/systemd/system && rm -f multi-user.target.wants/chrony.service chronyd.service && ln -sfn /dev/null chrony.service' ||
		die E_STEP_FAILED "chrony.service cannot be masked"
fi
if uses tee-derived; then
	has_program /usr/local/bin/snpguest ||
		die E_CONFIG "a partition has the key source 'tee-derived', and the tree has no /usr/local/bin/snpguest" "configure it: attestation.snpguest in cc.yaml"
	snpguest_check "$tree" /usr/local/bin/snpguest >/dev/null
	[[ $root_key_source != tee-derived ]] || printf '%s\n' /usr/local/bin/snpguest sha256sum timeout >>"$programs"
fi
[[ ! -e $programs ]] || chmod 644 "$programs"
