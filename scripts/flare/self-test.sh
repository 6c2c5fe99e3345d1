#!/usr/bin/env bash
# Add a unit to a tree that proves FLARE at the next boot: it runs a job with two clients and tells the console.
#
# For copies that are made to be tested; never part of an image that is delivered.
#
# Parameters:
#   --tree DIR      the tree to change
#   --job DIR       the job, in FLARE's own form
#   --venv NAME     where FLARE is, an absolute path in the guest
#   --workspace NAME   its workspace, whose owner and mode are told, too
#   --user NAME     to run the job as
# Runs in: namespace
# Network: no
# Output: cc-self-test.service, enabled

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

mkdir -p "$tree/opt/cc-self-test"
cp -R --no-preserve=ownership "$job" "$tree/opt/cc-self-test/job"
cat >"$tree/opt/cc-self-test/run" <<EOF
#!/bin/sh
# Runs as root to reach the console; the job itself runs as the user.
version=\$($venv/bin/python -c 'import nvflare; print(nvflare.__version__)' 2>&1 | tail -n 1)
work=\$(mktemp -d)
chown $user "\$work"
cd "\$work"
setpriv --reuid $user --regid $user --init-groups env HOME="\$work" PATH=$venv/bin:/usr/bin:/bin \\
	$venv/bin/nvflare simulator -w "\$work/ws" -n 2 -t 2 /opt/cc-self-test/job >"\$work/log" 2>&1
status=\$?
models=\$(find "\$work" -name 'server.npy' | wc -l)
rounds=\$(grep -c 'Round [0-9]* finished' "\$work/log")
[ "\$status" = 0 ] && [ "\$models" -gt 0 ] || tail -n 15 "\$work/log" >/dev/console
printf '\nCC-TEST {"version":"%s","status":%s,"models":%s,"rounds":%s,"workspace":"%s","venv":"%s","service":"%s"}\n' \\
	"\$version" "\$status" "\$models" "\$rounds" "\$(stat -c '%U:%G %a' $workspace)" "\$(stat -c '%U:%G %a' $venv)" \\
	"\$(systemctl is-enabled nvflare.service)" >/dev/console
EOF
chmod 755 "$tree/opt/cc-self-test/run"
cat >"$tree/usr/lib/systemd/system/cc-self-test.service" <<EOF
[Unit]
Description=Prove FLARE
After=cc-boot-check.service

[Service]
Type=oneshot
ExecStart=/opt/cc-self-test/run
TimeoutStartSec=15min

[Install]
WantedBy=multi-user.target
EOF
ln -sfn /usr/lib/systemd/system/cc-self-test.service "$tree/etc/systemd/system/multi-user.target.wants/cc-self-test.service"
