#!/usr/bin/env bats
# The program that looks around as a job would: it is started in the place of FLARE, and the sandbox stays as it is.

load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree
	as_user mkdir -p "$tree/usr/lib/systemd/system" "$tree/etc/systemd/system"
	as_user tee "$tree/usr/lib/systemd/system/nvflare.service" >/dev/null <<<$'[Service]\nExecStart=/bin/true\nNoNewPrivileges=yes'
}

teardown() { remove_trees; }

probe() {
	step job-probe --tree "$tree" --python /opt/venv/bin/python3 --workspace /vault/workspace --site /opt/cc/ro --group 1000 \
		--host 10.77.0.2 --allowed 8002 --forbidden 22 --forbidden 80 --score "$dir/score" "$@"
}

@test "only what is started is changed, and a site without a kit gets one with a key to be found" {
	before=$(sha256sum <"$tree/usr/lib/systemd/system/nvflare.service")
	probe
	((status == 0)) || { printf '%s\n' "$output" >&2 && return 1; }
	equal "$(sha256sum <"$tree/usr/lib/systemd/system/nvflare.service")" "$before"
	drop_in=$tree/etc/systemd/system/nvflare.service.d/cc-job-probe.conf
	equal "$(grep -v '^#' "$drop_in" | cut -d = -f 1 | LC_ALL=C.UTF-8 sort -u | xargs)" 'ExecStart ExecStartPre Restart StandardOutput SyslogIdentifier [Service]'
	grep -qxF 'ExecStart=/opt/venv/bin/python3 /opt/cc-attack/job-probe /vault/workspace 10.77.0.2 "8002" "22,80" ""' "$drop_in"
	equal "$(in_namespace stat -c '%a %g' "$tree/opt/cc/ro/kit/startup/client.key")" '640 1000'
	[[ -x $tree/opt/cc-attack/job-probe ]]
	if command -v systemd-analyze >/dev/null && systemd-analyze --help | grep -q -- --offline; then
		grep -q 'exposure level for nvflare.service: ' "$dir/score"
	fi
}

@test "the kit of a site stays as it is" {
	as_user mkdir -p "$tree/opt/cc/ro/kit/startup"
	probe --take
	((status == 0)) || { printf '%s\n' "$output" >&2 && return 1; }
	grep -q '"22,80" "1"$' "$tree/etc/systemd/system/nvflare.service.d/cc-job-probe.conf"
	[[ -z $(in_namespace ls "$tree/opt/cc/ro/kit/startup") ]]
}

@test "an image without FLARE's service is refused" {
	as_user rm "$tree/usr/lib/systemd/system/nvflare.service"
	probe
	failed_with E_IMAGE 'has no nvflare.service'
}
