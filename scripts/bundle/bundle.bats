#!/usr/bin/env bats
# The bundle of an image directory, unpacked as a host unpacks it.

# shellcheck disable=SC2016 # quoted programs are for another shell
load ../test/lib.bash

epoch=1700000000

setup() {
	setup_user
	as_user mkdir -p "$dir/image/keys" "$dir/image/trustee"
	as_user bash -c 'cd "$1" && echo qcow2 >image.qcow2 && echo "{}" >manifest.json && echo policy >trustee/policy &&
		umask 077 && echo s3cr3t >keys/root.key' - "$dir/image"
	# In place of the launcher: it says what it is called with.
	as_user tee "$dir/image/launch_cc_image.sh" >/dev/null <<<$'#!/bin/sh\nprintf "%s\\n" "$@"'
	as_user chmod 755 "$dir/image/launch_cc_image.sh"
	host=$BATS_TEST_DIRNAME/../host
}
teardown() { remove_trees; }

bundle() { # OUTPUT [ARGUMENT...]
	step make-bundle --image "$dir/image" --name cvm_a --launcher "$host/launch_vm.sh" --readme "$host/bundle-readme.txt" \
		--output "$dir/$1" --source-date-epoch "$epoch" "${@:2}"
}

@test "a production bundle has everything but the keys, and is the same each time" {
	bundle a.tgz
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(tar -tf "$dir/a.tgz" | sort | paste -sd ' ')" \
		'cvm_a/ cvm_a/README.txt cvm_a/image.qcow2 cvm_a/launch_cc_image.sh cvm_a/launch_vm.sh cvm_a/manifest.json cvm_a/trustee/ cvm_a/trustee/policy'
	[[ $(tar -xOf "$dir/a.tgz") != *s3cr3t* && $(stat -c %a "$dir/a.tgz") == 600 ]]
	as_user touch "$dir/image/manifest.json"
	bundle b.tgz
	cmp "$dir/a.tgz" "$dir/b.tgz"
	equal "$(find "$dir" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd ' ')" 'a.tgz b.tgz image'
}

@test "a development bundle has the keys, for their owner alone, and the disk for the log, which takes no room" {
	bundle a.tgz --keys --log-size 3
	((status == 0)) || { echo "$output" && return 1; }
	(($(stat -c %s "$dir/a.tgz") < 100000))
	as_user tar -C "$dir" -xf "$dir/a.tgz"
	equal "$(stat -c '%a %s' "$dir/cvm_a/keys/root.key")" '600 7'
	equal "$(stat -c %s "$dir/cvm_a/applog.raw")" $((3 << 30))
	run as_user "$dir/cvm_a/launch_vm.sh" --vcpus 2
	equal "$output" "--log"$'\n'"$dir/cvm_a/applog.raw"$'\n'"--vcpus"$'\n2'
	as_user touch "$dir/cvm_a/user_data.qcow2" "$dir/cvm_a/output.raw"
	run as_user "$dir/cvm_a/launch_vm.sh"
	[[ $output == *--input$'\n'"$dir/cvm_a/user_data.qcow2"* && $output == *--output$'\n'"$dir/cvm_a/output.raw"* ]]
}

@test "a name that leads elsewhere is refused, a full disk is said so, and nothing is left" {
	local name
	for name in ../x a/b .x 'a b' 'a,b' 'a&b' ''; do
		step make-bundle --image "$dir/image" --name "$name" --launcher "$host/launch_vm.sh" --readme "$host/bundle-readme.txt" \
			--output "$dir/x.tgz" --source-date-epoch "$epoch"
		failed_with E_STEP_ARGUMENT
	done
	as_user bash -c 'head -c 3000000 /dev/urandom >"$1/image/image.qcow2"' - "$dir"
	as_user mkdir "$dir/small"
	run in_namespace bash -c 'mount -t tmpfs -o size=1M tmpfs "$1/small" && export CC_STEP_NAMESPACE=1 && shift && bash "$@"; status=$?
		echo "left: $(ls -A "${@: -1}")"; exit $status' - "$dir" "$BATS_TEST_DIRNAME/make-bundle.sh" --image "$dir/image" --name cvm_a \
		--launcher "$host/launch_vm.sh" --readme "$host/bundle-readme.txt" --output "$dir/small/x.tgz" --source-date-epoch "$epoch"
	failed_with E_STEP_FAILED 'cannot be written'
}
