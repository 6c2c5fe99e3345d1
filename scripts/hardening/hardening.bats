#!/usr/bin/env bats
# The steps that close a tree, on a small one. All tools are the real ones.

# shellcheck disable=SC2016,SC2030,SC2031 # the quoted programs expand in the namespace; each test has its own variables
load ../test/lib.bash

epoch=1700000000
limits=(--tasks 100 --memory 50% --open-files 300 --log-messages 200 --log-seconds 10)

setup() {
	setup_user
	tree=$dir/tree
	as_user mkdir -p "$tree"/{dev,proc,sys,tmp,run,root,home,etc/systemd/system,usr/bin,usr/sbin,usr/lib,usr/local/bin,var/lib/dpkg/info,srv,opt/venv/bin}
	as_user mkdir -p "$tree/usr/lib/systemd/system"
	printf "[Unit]\n" | as_user tee "$tree"/usr/lib/systemd/system/{default,multi-user}.target >/dev/null
	for link in bin sbin lib; do as_user ln -s "usr/$link" "$tree/$link"; done
	printf '%s\n' 'Package: base-files' 'Status: install ok installed' 'Version: 1' 'Architecture: all' 'Maintainer: nobody' \
		'Description: test' '' | as_user tee "$tree/var/lib/dpkg/status" >/dev/null
	as_user tee "$tree/etc/passwd" >/dev/null <<-'EOF'
		root:x:0:0:root:/root:/bin/bash
		sync:x:4:65534:sync:/bin:/bin/sync
		cc:x:1000:1000::/home/cc:/bin/bash
	EOF
	as_user tee "$tree/etc/shadow" >/dev/null <<-'EOF'
		root:$6$salt$hash:1:0:99999:7:::
		sync:*:1:0:99999:7:::
		cc::1:0:99999:7:::
	EOF
	as_user chmod 640 "$tree/etc/shadow"
	for program in agetty login su sudo apt-get dpkg gcc python3 mount pip3; do
		as_user cp /bin/true "$tree/usr/bin/$program"
	done
	as_user cp /bin/true "$tree/opt/venv/bin/pip"
	as_user chmod 4755 "$tree/usr/bin/mount" "$tree/usr/bin/su"
}
teardown() { remove_trees; }

remove() { step 20-remove --tree "$tree" --venv /opt/venv --source-date-epoch "$epoch" "$@"; }

mask_units() {
	for unit in getty.target serial-getty@.service debug-shell.service systemd-logind.service ctrl-alt-del.target; do
		as_user ln -s /dev/null "$tree/etc/systemd/system/$unit"
	done
}

@test "what lets in, installs or builds is gone, and nobody has a password or a shell" {
	remove
	((status == 0)) || { echo "$output" && return 1; }
	for program in agetty login su sudo apt-get dpkg gcc pip3; do
		[[ ! -e $tree/usr/bin/$program ]] || { echo "$program" && return 1; }
	done
	[[ -e $tree/usr/bin/python3 && -e $tree/usr/bin/mount && ! -e $tree/opt/venv/bin/pip ]]
	[[ -z $(find "$tree" -perm /6000 -type f) ]]
	equal "$(cut -d : -f 7 "$tree/etc/passwd" | sort -u)" /usr/sbin/nologin
	equal "$(cut -d : -f 2 "$tree/etc/shadow" | sort -u)" '!*'
}

@test "a program that is listed keeps its bit, and passes the check only where it is listed" {
	remove --setuid /usr/bin/mount
	[[ -u $tree/usr/bin/mount ]]
	mask_units
	step 90-verify --tree "$tree" --setuid /usr/bin/mount
	((status == 0)) || { echo "$output" && return 1; }
	step 90-verify --tree "$tree"
	failed_with E_IMAGE '/usr/bin/mount has a setuid or setgid bit'
}

@test "a second root is refused" {
	echo 'toor:x:0:0::/:/bin/sh' | as_user tee -a "$tree/etc/passwd" >/dev/null
	remove
	failed_with E_IMAGE 'an account besides root has the number 0'
}

@test "the check names everything that an unclosed tree has" {
	step 90-verify --tree "$tree"
	failed_with E_IMAGE
	for finding in "'root' has the shell '/bin/bash'" "'cc' has a password" 'there is a program /usr/bin/sudo' \
		'/usr/bin/su has a setuid' 'getty.target is not masked'; do
		[[ $output == *"$finding"* ]] || { echo "missing: $finding" "$output" && return 1; }
	done
}

@test "without a start-up kit neither FLARE starts nor is it said that it did" {
	as_user mkdir -p "$tree/usr/lib/systemd/system"
	step 40-service --tree "$tree" --venv /opt/venv --workspace /vault/workspace --site /mnt/cc/ro --user cc --group cc --logs none "${limits[@]}"
	((status == 0)) || { echo "$output" && return 1; }
	for unit in nvflare nvflare-ready; do
		grep -qx 'ConditionPathExists=/mnt/cc/ro/kit/startup' "$tree/usr/lib/systemd/system/$unit.service"
		[[ -L $tree/etc/systemd/system/multi-user.target.wants/$unit.service ]]
	done
	[[ ! -e $tree/etc/systemd/system/multi-user.target.wants/nvflare-workspace.service ]]
}

service() {
	as_user mkdir -p "$tree/usr/lib/systemd/system"
	step 40-service --tree "$tree" --venv /srv/venv --workspace /vault/workspace --site /mnt/cc/ro --user cc --group cc \
		--logs none "${limits[@]}" "$@"
	((status == 0)) || { echo "$output" && return 1; }
	unit=$tree/usr/lib/systemd/system/nvflare.service
}

# said KEY: all values of a directive, a line each.
said() { sed -n "s/^$1=//p" "$unit"; }

@test "job code has the limits of the configuration" {
	service
	equal "$(for key in TasksMax MemoryMax MemorySwapMax LimitNOFILE LogRateLimitBurst LogRateLimitIntervalSec LimitCORE; do said "$key"; done | xargs)" \
		'100 50% 0 300 200 10 0'
	run as_user bash "$source_dir/40-service.sh" --tree "$tree" --venv /opt/venv --workspace /vault/workspace \
		--site /mnt/cc/ro --user cc --group cc --logs none
	failed_with E_STEP_ARGUMENT 'is required'
}

@test "job code has no calls, sockets and places that it does not need" {
	service
	local word
	for word in io_uring_setup bpf perf_event_open userfaultfd process_vm_readv @keyring @debug @privileged @mount; do
		said SystemCallFilter | grep '^~' | grep -qw -- "$word" || { echo "$word" && return 1; }
	done
	equal "$(said SystemCallFilter | head -n 1)" @system-service
	equal "$(said RestrictAddressFamilies)" 'AF_UNIX AF_INET AF_INET6'
	# What it may write it may not execute.
	for word in /tmp /tmp/nvflare /var/tmp /dev/shm /applog $(said ReadWritePaths); do
		said NoExecPaths | tr ' ' '\n' | grep -qx -- "-\?${word#-}" || { echo "$word" && return 1; }
	done
	for word in /run/cc /boot /etc/cc /mnt/cc/ro/keys /run/dbus /run/systemd/userdb /run/systemd/io.system.ManagedOOM /var/log /run/log; do
		said InaccessiblePaths | tr ' ' '\n' | grep -qx -- "-\?$word" || { echo "$word" && return 1; }
	done
	service --netlink
	equal "$(said RestrictAddressFamilies)" 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'
}

@test "systemd knows the unit, and calls its exposure low; without one directive it is higher" {
	command -v systemd-analyze >/dev/null || skip "this host has no systemd-analyze"
	systemd-analyze --help | grep -q -- --offline || skip "systemd-analyze here is older than 250"
	service
	score() {
		systemd-analyze security --offline=true --root="$tree" --no-pager nvflare.service |
			sed -n 's/.*exposure level for [^:]*: \([0-9.]*\) .*/\1/p'
	}
	local before after key
	before=$(score)
	[[ -n $before ]]
	awk -v score="$before" 'BEGIN { exit !(score <= 2.0) }' || { echo "$before" && return 1; }
	for key in NoNewPrivileges RestrictNamespaces SystemCallFilter CapabilityBoundingSet ProtectProc; do
		sed -i "s/^$key=/#&/" "$unit"
		after=$(score)
		awk -v a="$before" -v b="$after" 'BEGIN { exit !(b > a) }' || { echo "$key: $before $after" && return 1; }
		sed -i "s/^#$key=/$key=/" "$unit"
	done
}

@test "a site has its rules, its kit for one group, and its keys for root alone" {
	as_user mkdir -p "$dir/kit/startup" "$dir/kit/local"
	as_user tee "$dir/kit/startup/client.key" <<<secret >/dev/null
	as_user bash -c 'umask 077; head -c 32 /dev/urandom >"$1"' - "$dir/key"
	step 50-site --output "$dir/site" --setting role=client --setting inbound= --kit "$dir/kit" --input-key "$dir/key" \
		--gid 1000 --source-date-epoch "$epoch"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(in_namespace cat "$dir/site/site.conf")" $'role=client\ninbound='
	run in_namespace stat -c '%a %u:%g' "$dir/site/kit/startup/client.key" "$dir/site/kit" "$dir/site/keys/input.key" "$dir/site/keys"
	equal "$output" $'640 0:1000\n750 0:1000\n600 0:0\n700 0:0'
	# Another site in the same folder leaves nothing of the first.
	step 50-site --output "$dir/site" --setting role=server --gid 1000 --source-date-epoch "$epoch"
	[[ -z $(in_namespace find "$dir/site/kit" "$dir/site/keys" -type f) ]]
}

@test "a kit that is none, and one with a link, are refused" {
	as_user mkdir -p "$dir/kit"
	step 50-site --output "$dir/site" --setting role=client --kit "$dir/kit" --gid 1000 --source-date-epoch "$epoch"
	failed_with E_CONFIG "has no folder 'startup'"
	as_user mkdir -p "$dir/kit/startup"
	as_user ln -s /etc/passwd "$dir/kit/startup/rootCA.pem"
	step 50-site --output "$dir/site" --setting role=client --kit "$dir/kit" --gid 1000 --source-date-epoch "$epoch"
	failed_with E_CONFIG 'the start-up kit has a link'
}

@test "pip sees a local file under its own path, read-only, and nothing of it is left behind" {
	as_user mkdir -p "$dir/app/wheels"
	as_user tee "$dir/app/wheels/a.whl" <<<wheel >/dev/null
	as_user mkdir -p "$tree$dir"
	run in_namespace bash -c '. "$1/lib/step.sh"; . "$1/lib/tree.sh"; . "$1/lib/pip.sh"; pip_tree=$2
		pip_share_own "$3/app/wheels"
		cat "$2$3/app/wheels/a.whl"
		touch "$2$3/app/wheels/b" 2>&1 || echo refused
		pip_unshare; find "$2$3" -mindepth 1' - "$BATS_TEST_DIRNAME/.." "$tree" "$dir"
	((status == 0)) || { echo "$output" && return 1; }
	[[ ${lines[0]} == wheel && $output == *refused ]]
}

@test "pip is not led out of the tree by a link on the way to a local file" {
	as_user mkdir -p "$dir/app" "$dir/outside"
	as_user mkdir -p "$tree${dir%/*}"
	as_user ln -s "$dir/outside" "$tree$dir"
	run in_namespace bash -c '. "$1/lib/step.sh"; . "$1/lib/tree.sh"; . "$1/lib/pip.sh"; pip_tree=$2; pip_share_own "$3/app"' - \
		"$BATS_TEST_DIRNAME/.." "$tree" "$dir"
	failed_with E_CONFIG 'is a link in the tree'
	[[ -z $(ls "$dir/outside") ]]
}

@test "only our generator runs, only rules that look into no disk, and fstab becomes units" {
	local lib=$tree/usr/lib
	as_user mkdir -p "$lib"/systemd/{system,system-generators,system-environment-generators} "$lib/udev/rules.d" "$tree/opt" "$lib/modules"
	for unit in networkd resolved; do as_user tee "$lib/systemd/system/systemd-$unit.service" </dev/null; done
	for file in systemd/system-generators/{cc-partitions,systemd-fstab-generator,new-generator} systemd/system-environment-generators/snapd \
		udev/rules.d/{60-persistent-storage,63-new,80-drivers,71-nvidia}.rules; do as_user tee "$lib/$file" </dev/null; done
	printf 'tmpfs /tmp tmpfs nosuid,nodev,size=25%%,mode=1777 0 0\ntmpfs /var/a-b tmpfs size=1m 0 0\ntmpfs /dev/shm tmpfs nosuid 0 0\n' |
		as_user tee "$tree/etc/fstab" >/dev/null
	step 30-guest --tree "$tree" --guest "$BATS_TEST_DIRNAME/../guest" --lockdown none
	((status == 0)) || { echo "$output" && return 1; }
	run bash -c 'cd "$1" && find . -lname /dev/null -path "*generators*" -o -lname /dev/null -path "*rules.d*" | sort | paste -sd " "' - "$tree/etc"
	equal "$output" './systemd/system-environment-generators/snapd ./systemd/system-generators/new-generator ./systemd/system-generators/systemd-fstab-generator ./udev/rules.d/60-persistent-storage.rules ./udev/rules.d/63-new.rules'
	equal "$(cd "$tree/etc/systemd/system/local-fs.target.requires" && ls)" $'tmp.mount\nvar-a\\x2db.mount'
	grep -qx 'Options=nosuid,nodev,size=25%,mode=1777' "$tree/etc/systemd/system/local-fs.target.requires/tmp.mount"
	grep -qx 'Where=/var/a-b' "$tree/etc/systemd/system/var-a\\x2db.mount"
	# The check finds what came later.
	as_user tee "$lib/systemd/system-generators/late" "$lib/udev/rules.d/64-late.rules" </dev/null
	step 90-verify --tree "$tree"
	failed_with E_IMAGE '/usr/lib/systemd/system-generators/late is not masked'
	[[ $output == *'/usr/lib/udev/rules.d/64-late.rules is not masked'* && $output != *'80-drivers'* && $output != *fstab* ]]
}

@test "the log leaves on a disk only where that is configured, by a user of its own" {
	local units=$tree/usr/lib/systemd/system logs
	as_user mkdir -p "$units"
	for logs in none console disk; do
		step 40-service --tree "$tree" --venv /opt/venv --workspace /vault/workspace --site /mnt/cc/ro --user cc --group cc --logs "$logs" \
			"${limits[@]}"
		((status == 0)) || { echo "$output" && return 1; }
		# Nothing of FLARE is opened by root on a file system of the host.
		run ! grep -E 'append:|file:|/mnt/data' "$units/nvflare.service"
		grep -qx 'BindPaths=-/vault/bound/applog:/applog' "$units/nvflare.service"
		grep -qx 'BindPaths=/run/nvflare/results:/tmp/nvflare' "$units/nvflare.service"
		[[ $logs == disk || ! -e $units/nvflare-log.service ]]
	done
	for line in DynamicUser=yes StandardOutput=file:/dev/nvflare-log DevicePolicy=closed 'DeviceAllow=/dev/nvflare-log w'; do
		grep -qx "$line" "$units/nvflare-log.service"
	done
}

@test "a service that asks for a user namespace runs without one, and one that came later is found" {
	local lib=$tree/usr/lib
	as_user mkdir -p "$lib"/systemd/system/irq.service.d "$tree/opt" "$lib/modules"
	: | as_user tee "$tree/etc/fstab"
	for unit in networkd resolved; do as_user tee "$lib/systemd/system/systemd-$unit.service" </dev/null; done
	service() { printf '[Service]\nExecStart=/bin/true\n%s\n' "$2" | as_user tee "$lib/systemd/system/$1" >/dev/null; }
	service irq.service PrivateUsers=
	printf '[Service]\nPrivateUsers=self\n' | as_user tee "$lib/systemd/system/irq.service.d/more.conf" >/dev/null
	service each@.service PrivateUsers=yes
	service none.service PrivateUsers=no
	service plain.service PrivateTmp=yes
	step 30-guest --tree "$tree" --guest "$BATS_TEST_DIRNAME/../guest" --lockdown none
	((status == 0)) || { echo "$output" && return 1; }
	for unit in irq each@; do grep -qx PrivateUsers=no "$tree/etc/systemd/system/$unit.service.d/zz-cc.conf"; done
	[[ ! -e $tree/etc/systemd/system/none.service.d && ! -e $tree/etc/systemd/system/plain.service.d ]]
	service late.service PrivateUsers=identity
	step 90-verify --tree "$tree"
	failed_with E_IMAGE 'late.service asks for a user namespace, and gets none'
	[[ $output != *'irq.service asks'* && $output != *'each@.service asks'* ]]
}
