#!/usr/bin/env bash
# All tests, from nothing: set-up, style, units, shell steps, and real builds and boots. A failing part does not hide
# the ones behind it; the last line counts.
#   tools/test.sh [PART]...    parts: lint unit shell e2e (all by default)
set -Eeuo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export NX_DAEMON=false CI=${CI:-true}

parts=("$@")
((${#parts[@]})) || parts=(lint unit shell e2e)
bash tools/setup.sh

# Root tests what an ordinary user may do as an ordinary user. useradd gives the subordinate ids.
if ((EUID == 0)) && ! id cc-e2e >/dev/null 2>&1; then
	useradd --create-home --shell /bin/bash cc-e2e
fi

passed=0 failed=()
for part in "${parts[@]}"; do
	printf '\n=== %s\n' "$part"
	started=$SECONDS
	if npm run --silent "test:$part"; then
		passed=$((passed + 1))
	else
		failed+=("$part")
	fi
	printf '=== %s: %s s\n' "$part" $((SECONDS - started))
done
((${#failed[@]} == 0)) || printf 'failed: %s\n' "${failed[*]}"
printf '%s passed, %s failed\n' "$passed" "${#failed[@]}"
((${#failed[@]} == 0))
