#!/usr/bin/env bash
# Put snpguest into a tree, which asks the firmware of SEV-SNP for reports and keys.
#
# Parameters:
#   --tree DIR       the tree to change
#   --program FILE   snpguest
# Runs in: namespace
# Network: no
# Output: /opt/cc/bin/snpguest, also in the search path; it was started once in the tree, and is of a version that the guest can use

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/elf.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/elf.sh"
# shellcheck source=../lib/snpguest.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/snpguest.sh"
step "$@"

elf_check "$tree" "$program"
install -d "$tree/opt/cc/bin"
install -m 755 "$program" "$tree/opt/cc/bin/snpguest"
tree_mounts "$tree"
version=$(snpguest_check "$tree" /opt/cc/bin/snpguest)
log "$version"
ln -sfn /opt/cc/bin/snpguest "$tree/usr/local/bin/snpguest"
