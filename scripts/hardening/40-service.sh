#!/usr/bin/env bash
# Install the service that runs NVIDIA FLARE in a hardened image: its own user, no privilege, a read-only system, and
# the start-up kit of cc-ro laid read-only over its workspace.
#
# Parameters:
#   --tree DIR           the tree to change
#   --venv NAME          where FLARE is, an absolute path in the guest
#   --workspace NAME     its workspace on the encrypted partition
#   --site NAME          where cc-ro is mounted
#   --user NAME          it runs as
#   --group NAME         and as
#   [--writable NAME]... a further folder that it may write
#   [--readable NAME]... a folder that it may read
#   --logs NAME          none, console or disk: where the host may read its log
#   [--deny-write-execute FLAG]  it may make no memory executable
#   [--netlink FLAG]     it may open AF_NETLINK sockets
#   --tasks NUMBER       processes and threads that it may have
#   --memory NAME        memory that it may use: a share like 90%, or a size like 16G
#   --open-files NUMBER  files that one process may have open
#   --log-messages NUMBER  messages that the journal takes of it
#   --log-seconds NUMBER  in this time
# Runs in: namespace
# Network: no
# Output: nvflare.service, nvflare-ready.service and, for a disk, nvflare-log.service, enabled; nvflare-workspace.service

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

units="$tree/usr/lib/systemd/system"
mkdir -p "$tree/applog"
case $logs in
none | disk) output=journal ;;
console) output=journal+console ;;
*) die E_STEP_ARGUMENT "--logs: '$logs' is not none, console or disk" ;;
esac

# A GPU is used only after it was attested, which this unit of the image waits for; without a GPU it has nothing to do.
gpu=
[[ ! -e $units/cc-gpu-ready.service ]] || gpu=cc-gpu-ready.service
devices='PrivateDevices=yes'
if compgen -G "$tree/usr/lib/modules/*/**/nvidia*.ko*" >/dev/null || [[ -e $tree/usr/bin/nvidia-smi ]]; then
	devices=$'DevicePolicy=closed\nDeviceAllow=char-nvidia rw\nDeviceAllow=char-nvidia-frontend rw\nDeviceAllow=char-nvidia-uvm rw\nDeviceAllow=char-nvidia-caps rw'
fi

# What holds for both services that run for as long as the machine does.
sandbox='Restart=always
RestartSec=5
UMask=0077
LimitCORE=0
MemorySwapMax=0
KeyringMode=private
CapabilityBoundingSet=
ProtectHome=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service'

# A unit of its own: the name space of the service has the workspace in it, so it is there before that is made.
cat >"$units/nvflare-workspace.service" <<EOF
[Unit]
Description=Workspace of NVIDIA FLARE
Requires=cc-hardening.service cc-data-mounts.service
After=local-fs.target cc-hardening.service cc-data-mounts.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/flare/scripts/workspace.sh $user $group
EOF

# Another one tells the console: that is a device, and the service may open none but those of a GPU.
# It has the condition of the service, too: a unit that is skipped counts as started.
cat >"$units/nvflare-ready.service" <<EOF
[Unit]
Description=Tell the console that NVIDIA FLARE was started
ConditionPathExists=$site/kit/startup
Requires=nvflare.service
After=nvflare.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/flare/scripts/ready.sh

[Install]
WantedBy=multi-user.target
EOF

families='AF_UNIX AF_INET AF_INET6'
[[ -z $netlink ]] || families+=' AF_NETLINK'

# FLARE runs code that other sites send, so the unit is a wall against what runs in it: docs/threat-model.md, "Job code".
# An older systemd (249 in Ubuntu 22.04) warns of a directive that it does not know, and goes on.
# What of the kit does not belong to FLARE stays unseen.
cat >"$units/nvflare.service" <<EOF
[Unit]
Description=NVIDIA FLARE
Documentation=https://nvflare.readthedocs.io
ConditionPathExists=$site/kit/startup
Requires=nvflare-workspace.service cc-lock-modules.service cc-hardening-report.service cc-boot-check.service
${gpu:+Requires=$gpu
}After=nvflare-workspace.service network.target cc-lock-modules.service cc-hardening-report.service cc-boot-check.service $gpu
# It is started again and again: the other side may be away for days.
StartLimitIntervalSec=0

[Service]
Type=exec
User=$user
Group=$group
WorkingDirectory=$workspace
Environment=PATH=$venv/bin:/usr/bin:/bin HOME=$workspace TMPDIR=$workspace/tmp NVFL_WORKSPACE=$workspace PYTHONDONTWRITEBYTECODE=1
ExecStart=/opt/flare/scripts/start_flare.sh $workspace
StandardOutput=$output
StandardError=inherit
$sandbox
# With back-off where systemd has it (254 and newer).
RestartSteps=6
RestartMaxDelaySec=5min
TasksMax=$tasks
MemoryMax=$memory
LimitNOFILE=$open_files
LogRateLimitIntervalSec=$log_seconds
LogRateLimitBurst=$log_messages
# A job that takes too much memory ends alone; FLARE reports it.
OOMPolicy=continue

NoNewPrivileges=yes
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateMounts=yes
PrivateIPC=yes
$devices
RestrictSUIDSGID=yes
RestrictAddressFamilies=$families
RemoveIPC=yes
SystemCallFilter=~@privileged @keyring @debug @mount @obsolete @raw-io @reboot @swap @clock @module @cpu-emulation
SystemCallFilter=~io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open
SystemCallFilter=~process_vm_readv process_vm_writev
${deny_write_execute:+MemoryDenyWriteExecute=yes
}ReadWritePaths=$workspace
$(for path in "${writable[@]}"; do printf 'ReadWritePaths=-%s\n' "$path"; done)
$(for path in "${readable[@]}"; do printf 'ReadOnlyPaths=-%s\n' "$path"; done)
BindReadOnlyPaths=$site/kit/startup:$workspace/startup
BindReadOnlyPaths=-$site/kit/local:$workspace/local
BindPaths=-${workspace%/*}/bound/applog:/applog
# Its job store: /tmp is memory, and a result may be larger than that.
BindPaths=/run/nvflare/results:/tmp/nvflare
InaccessiblePaths=-/run/cc -$site/keys -/etc/cc -/boot
# Nothing that it could ask for a favour, and nothing that tells of the machine or of others.
InaccessiblePaths=-/run/dbus -/run/user -/run/udev -/run/systemd/private -/run/log -/var/log
InaccessiblePaths=-/run/systemd/io.system.ManagedOOM -/run/systemd/userdb
InaccessiblePaths=-/sys/firmware -/sys/kernel/debug -/sys/kernel/tracing -/sys/fs/bpf
# What it may write it may not execute. Not NoExecPaths=/ with ExecPaths=: systemd 252 then leaves mounts below / as they
# are, /tmp and /dev/shm executable, and mounts /opt writable (seen in a running unit).
NoExecPaths=$workspace -/tmp -/tmp/nvflare -/var/tmp -/dev/shm -/applog
$(for path in "${writable[@]}"; do printf 'NoExecPaths=-%s\n' "$path"; done)

[Install]
WantedBy=multi-user.target
EOF
# systemd opens the disk; the program that writes to it can open none, and is no user of anything else.
wanted=(nvflare nvflare-ready)
if [[ $logs == disk ]]; then
	wanted+=(nvflare-log)
	cat >"$units/nvflare-log.service" <<EOF
[Unit]
Description=Write the log of NVIDIA FLARE to the disk nvflare-log
Documentation=file:/opt/flare/scripts/log.sh
ConditionPathExists=/dev/nvflare-log
Requires=cc-data-mounts.service
After=cc-data-mounts.service
Before=nvflare.service

[Service]
ExecStart=/opt/flare/scripts/log.sh $venv/bin/python3
StandardOutput=file:/dev/nvflare-log
StandardError=journal
$sandbox
DynamicUser=yes
SupplementaryGroups=systemd-journal
MemoryMax=64M
TasksMax=8

DevicePolicy=closed
DeviceAllow=/dev/nvflare-log w
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX
MemoryDenyWriteExecute=yes
SystemCallFilter=~@privileged @resources
InaccessiblePaths=-/run/cc -$site -${workspace%/*} -/etc/cc -/boot

[Install]
WantedBy=multi-user.target
EOF
fi
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
for unit in "${wanted[@]}"; do
	ln -sfn "/usr/lib/systemd/system/$unit.service" "$tree/etc/systemd/system/multi-user.target.wants/$unit.service"
done
