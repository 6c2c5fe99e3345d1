#!/usr/bin/env bash
# Remove from a tree what belongs to the build, to one machine, or to one moment.
#
# Parameters:
#   --tree DIR   the tree to change
#   [--compiled NAME]...  an absolute path whose compiled Python stays: the step that comes next looks at it
#   --source-date-epoch NUMBER  no time stamp in the tree is later, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the tree, the same for the same inputs

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

# One machine: its identity, its host keys, its random seed.
rm -f "$tree"/etc/ssh/ssh_host_*_key* "$tree"/var/lib/systemd/random-seed "$tree"/var/lib/dbus/machine-id
# Empty, neither missing nor "uninitialized": each machine gets an identity of its own at boot, and systemd takes no boot
# for the first one, at which it would enable whatever its presets name (machine-id(5), "First Boot Semantics").
: >"$tree/etc/machine-id"

# One moment: logs, caches, backups of the account files, and files whose bytes depend on the order of things.
# Without its folder the journal stays in memory.
find "$tree/var/log" -type f -delete
rm -rf "$tree/var/log/journal"
rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/debconf/*-old "$tree"/var/cache/ldconfig/*
rm -f "$tree"/var/lib/dpkg/*-old "$tree"/etc/{passwd,shadow,group,gshadow,subuid,subgid}- "$tree"/etc/.pwd.lock
kept=()
for path in "${compiled[@]}"; do kept+=(-path "$tree$path" -prune -o); done
find "$tree" -xdev "${kept[@]}" -name __pycache__ -type d -prune -exec rm -rf {} +
find "$tree/tmp" "$tree/var/tmp" "$tree/run" "$tree/dev" -mindepth 1 -delete
find "$tree" -xdev -type s -delete
find "$tree" -xdev -newermt "@$source_date_epoch" -exec touch --no-dereference --date "@$source_date_epoch" {} +
