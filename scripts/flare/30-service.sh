#!/usr/bin/env bash
# Install the service that runs NVIDIA FLARE; it is not enabled until an application comes with its start-up kit.
#
# Parameters:
#   --tree DIR         the tree to change
#   --venv NAME        where FLARE is, an absolute path in the guest
#   --workspace NAME   where its start-up kit and its results are, an absolute path in the guest
#   --user NAME        it runs as
#   --group NAME       and as
# Runs in: namespace
# Network: no
# Output: nvflare.service, the workspace owned by the user, commands in the search path of everybody

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

in_tree "$tree" getent passwd "$user" >/dev/null ||
	die E_CONFIG "os.user.name: the image has no user '$user'" "use the user of the base image"
in_tree "$tree" install -d -m 0750 -o "$user" -g "$group" "$workspace"

cat >"$tree/usr/lib/systemd/system/nvflare.service" <<EOF
[Unit]
Description=NVIDIA FLARE
Documentation=https://nvflare.readthedocs.io
ConditionPathExists=$workspace/startup/sub_start.sh
Wants=network-online.target
After=network-online.target local-fs.target cc-boot-check.service

[Service]
User=$user
Group=$group
WorkingDirectory=$workspace
Environment=PATH=$venv/bin:/usr/bin:/bin
# In the foreground and once: start.sh of a start-up kit goes to the background, and systemd would end what it started.
ExecStart=/bin/bash $workspace/startup/sub_start.sh --once
Restart=on-failure
RestartSec=10
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=yes
ReadWritePaths=$workspace

[Install]
WantedBy=multi-user.target
EOF
for program in "$tree$venv"/bin/nvflare*; do
	[[ ! -e $program ]] || ln -sfn "$venv/bin/${program##*/}" "$tree/usr/local/bin/${program##*/}"
done
