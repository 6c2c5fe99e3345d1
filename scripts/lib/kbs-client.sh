# shellcheck shell=bash
# The builds of kbs-client that the guest can use. Sourced after step.sh, tree.sh and elf.sh.

# kbs_client_check TREE PROGRAM: a program for this processor whose libraries are in the tree; it runs there, has the words
# that the guest says, and can show evidence of SEV-SNP. PROGRAM is a file of the host, the same as the tree's. Its
# --version says nothing: it is 0.1.0 in every release of Trustee.
kbs_client_check() {
	local said
	elf_check "$1" "$2"
	# Without this attester it would show made-up evidence, and say so only as a warning.
	grep -qaF /sys/devices/platform/sev-guest -- "$2" ||
		die E_PACKAGE "kbs-client has no attester for SEV-SNP: it would show made-up evidence" \
			"build it with: cargo build --release -p kbs-client --features snp-attester"
	said=$(in_tree "$1" /usr/local/bin/kbs-client --help 2>&1) ||
		die E_PACKAGE "kbs-client does not run in the tree: ${said##*$'\n'}" "give another one: kbs.client"
	[[ $said == *get-resource* && $said == *--cert-file* ]] ||
		die E_PACKAGE "/usr/local/bin/kbs-client does not say that it is kbs-client: '${said:0:100}'" "give another one: kbs.client"
	if elf_needs "$2" | grep -q '^libssl'; then
		printf 'warning: this kbs-client uses OpenSSL, as those before Trustee v0.20 do; v0.20 or newer is recommended\n' >&2
	fi
	if grep -qaF 'ISRG Root X1' -- "$2"; then
		printf 'warning: this kbs-client brings public certificate authorities with it, beside kbs.caFile; Trustee v0.20 or newer is recommended\n' >&2
	fi
}
