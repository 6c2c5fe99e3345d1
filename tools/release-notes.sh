#!/usr/bin/env bash
# Print the notes of the newest release of one package, from its commits: for an announcement, or a page of releases.
#   tools/release-notes.sh PACKAGE
set -Eeuo pipefail

package=${1:?which package?}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
folder=$(realpath --relative-to=. -- "node_modules/$package")

# The first section is what was committed since that release. Without an address of the repository no link would work.
npx conventional-changelog --preset conventionalcommits --stdout --infile /dev/null --release-count 2 \
	--pkg "$folder/package.json" --commit-path "$folder" --tag-prefix "$package@" |
	awk '/^## /{section++} section == 2' | sed -E 's|\[([^]]*)\]\(///[^)]*\)|\1|'
