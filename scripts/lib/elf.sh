# shellcheck shell=bash
# Will a program run on the libraries of a tree? Sourced after step.sh and tree.sh.

# elf_check TREE PROGRAM: every shared library that a file of the host needs is in the tree, with the symbol versions of
# the C library that it was built against.
elf_check() {
	local root=$1 program=$2 name library missing names=()
	need readelf
	readelf -h -- "$program" 2>/dev/null | grep -q 'X86-64' || die E_PACKAGE "$program is no program for x86-64"
	read_list names elf_needs "$program"
	for name in "${names[@]}"; do
		# A folder that the tree does not have is no error.
		library=$(find "$root"/lib/x86_64-linux-gnu "$root"/usr/lib/x86_64-linux-gnu "$root"/lib64 -name "$name" -print -quit 2>/dev/null) || true
		[[ -n $library ]] || die E_PACKAGE "${program##*/} needs $name, which the tree does not have" \
			"add its package: os.packages; or give a static program"
	done
	library=$(find "$root"/lib/x86_64-linux-gnu "$root"/usr/lib/x86_64-linux-gnu -name libc.so.6 -print -quit 2>/dev/null) || true
	missing=$(comm -23 <(elf_versions "$program") <(elf_versions "$library") | paste -sd ' ')
	[[ -z $missing ]] || die E_PACKAGE "${program##*/} needs a newer C library than the tree has: $missing" \
		"build it on an older system, or statically"
}

# elf_needs FILE: the shared libraries that it is linked with.
elf_needs() { readelf -d -- "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# elf_versions FILE: the names GLIBC_… that it needs or defines.
elf_versions() { readelf -V --wide -- "$1" 2>/dev/null | grep -oE 'GLIBC_[0-9]+(\.[0-9]+)+' | sort -u; }
