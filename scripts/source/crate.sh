#!/usr/bin/env bash
# Build a program from crates.io with the versions that its own lock file names.
#
# Parameters:
#   --crate NAME      the crate
#   --version TEXT    its version
#   --program NAME    the program that it has
#   --cache PATH      where cargo keeps what it downloads
#   --work PATH       a folder for the time of this step
#   --output PATH     the program
# Runs in: host
# Network: crates.io, or what cargo is configured for
# Output: the program, for hosts with the C library of this one or a newer one

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
program_path=$(command -v cargo) || program_path=$HOME/.cargo/bin/cargo
[[ -x $program_path ]] || die E_HOST_TOOL "cargo is not on this host, and $crate is to be built from crates.io" \
	"install Rust 1.86 or newer (rustup), or name a file or a URL: attestation.snpguest"

rm -rf -- "$work"
mkdir -p -- "$work" "$cache" "$(dirname -- "$output")"
trap 'rm -rf -- "$work" "$output.partial"' EXIT
log "building $crate $version"
# The configuration of the user says how crates.io is reached; downloads and results stay with us.
for name in config.toml config credentials.toml; do
	source=${CARGO_HOME:-$HOME/.cargo}/$name
	[[ ! -r $source ]] || cp -- "$source" "$cache/$name"
done
status=0
# The words of RUSTFLAGS end at spaces, which a path may have; these end at the character 0x1f.
flags=--remap-path-prefix=$cache=/cargo$'\x1f'--remap-path-prefix=$work=/build
CARGO_HOME=$cache CARGO_TARGET_DIR=$work/target CARGO_TERM_PROGRESS_WHEN=never CARGO_ENCODED_RUSTFLAGS=$flags \
	"$program_path" install --locked --no-track --root "$work/root" --version "=$version" "$crate" 2>&1 | tee "$work/log" >&2 || status=$?
if ((status)); then
	line=$(grep -m 1 -E 'could not find|does not exist|no matching' "$work/log") && die E_PACKAGE "crates.io has no $crate $version: $line" "name a version that it has"
	line=$(grep -m 1 -iE 'could ?n.t resolve|failed to (connect|download|fetch|get)|timed out|network' "$work/log") && die E_NETWORK "crates.io cannot be reached: $line" "check the network"
	line=$(grep -m 1 -E 'requires rustc|rustc [0-9.]+ is not supported' "$work/log") && die E_HOST_TOOL "$crate $version: $line" "install a newer Rust"
	die E_PACKAGE "$crate $version does not build: $(grep -m 1 '^error' "$work/log")" "see the log of this step"
fi
[[ -x $work/root/bin/$program ]] || die E_PACKAGE "$crate $version has no program $program"
install -m 755 -- "$work/root/bin/$program" "$output.partial"
mv -- "$output.partial" "$output"
