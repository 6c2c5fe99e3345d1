#!/usr/bin/env bats
# What the forms of the stand-in ISO make by themselves: packages, and kernels under another name.

load ../../scripts/test/lib.bash
setup() {
	setup_user
	here=$BATS_TEST_DIRNAME
}
teardown() { remove_trees; }

@test "a kernel gets a release like Ubuntu's that is as long as Debian's" {
	. "$here/form-as-ubuntu.sh"
	equal "$(ubuntu_release 6.1.0-56-amd64 0)" 6.1-56-generic
	equal "$(ubuntu_release 6.1.0-10-amd64 1)" 6.1-09-generic
	equal "$(ubuntu_release 6.1.0-101-amd64 1)" 6.1-100-generic
	equal "$(ubuntu_release 6.1.0-56-cloud-amd64 1)" 6.1.0-000055-generic
}

@test "rename-kernel changes a bzImage of each packing and the vermagic of a module, or says why it cannot" {
	cat >"$dir/image.py" <<-'EOF'
		import struct, subprocess, sys
		packer, target = sys.argv[1], sys.argv[2]
		kernel = b'Linux version 6.1.0-56-amd64 ' + b''.join(b'%d ' % (n * n) for n in range(20000))
		packed = subprocess.run(packer.split(), input=kernel, stdout=subprocess.PIPE, check=True).stdout
		payload = packed + struct.pack('<I', len(kernel))
		data = bytearray(1024 + 64) + payload + b'tail'
		data[0x1f1] = 1
		struct.pack_into('<II', data, 0x248, 64, len(payload))
		data[600:614] = b'6.1.0-56-amd64'
		open(target, 'wb').write(data)
	EOF
	local packer words=(--from 6.1.0-56-amd64 --to 6.1-56-generic)
	for packer in 'xz -1 --check=crc32' 'lz4 -l -1' 'zstd -1'; do
		python3 "$dir/image.py" "$packer -c" "$dir/vmlinuz"
		cp "$dir/vmlinuz" "$dir/before"
		"$here/rename-kernel.py" "${words[@]}" --image "$dir/vmlinuz"
		equal "$(stat -c %s "$dir/vmlinuz")" "$(stat -c %s "$dir/before")"
		[[ $(tail -c 4 "$dir/vmlinuz") == tail ]]
		equal "$(tail -c +1089 "$dir/vmlinuz" | ${packer%% *} -dc 2>/dev/null | head -c 28)" 'Linux version 6.1-56-generic'
	done

	as_user mkdir "$dir/modules"
	# A signature: its bytes, a descriptor of twelve that ends with their number, and the mark.
	printf 'ELF vermagic=6.1.0-56-amd64 SMPsigsig\0\0\0\0\0\0\0\0\0\0\0\6~Module signature appended~\n' >"$dir/modules/signed.ko"
	printf 'ELF vermagic=6.1.0-56-amd64 SMP' >"$dir/modules/unsigned.ko"
	"$here/rename-kernel.py" "${words[@]}" --modules "$dir/modules"
	equal "$(<"$dir/modules/signed.ko")" 'ELF vermagic=6.1-56-generic SMP'
	equal "$(<"$dir/modules/unsigned.ko")" 'ELF vermagic=6.1-56-generic SMP'

	run "$here/rename-kernel.py" "${words[@]}" --image "$dir/modules/unsigned.ko"
	((status != 0))
	run "$here/rename-kernel.py" --from 6.1.0-99-amd64 --to 6.1-99-generic --image "$dir/before"
	((status != 0)) && [[ $output == *'its release is not 6.1.0-99-amd64'* ]]
	run "$here/rename-kernel.py" --from a --to ab --image "$dir/vmlinuz"
	((status != 0)) && [[ $output == *'must have the 1 characters'* ]]
}

@test "a form that does not exist is refused" {
	run as_user bash "$here/make-standin-iso.sh" --as ubuntu-20.04 --output "$dir/x.iso"
	failed_with E_STEP_ARGUMENT "ubuntu-20.04"
	run as_user bash "$here/make-standin-iso.sh" --suite bookworm --like fedora --output "$dir/x.iso"
	failed_with E_STEP_ARGUMENT "fedora"
	run as_user bash "$here/make-standin-iso.sh" --output "$dir/x.iso"
	failed_with E_STEP_ARGUMENT "neither --suite nor --as"
}
