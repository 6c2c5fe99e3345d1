# shellcheck shell=bash
# A folder in which the two layers of a stand-in ISO differ in every way that an overlay can express. Packages alone
# would leave most of these cases to chance.

# fixture_lower DIR: as the lower layer has it.
fixture_lower() {
	mkdir -p "$1"
	(
		cd "$1" || exit
		mkdir -p removed-dir/sub replaced-dir/sub merged-dir dir-to-link dir-to-file link-target 'removed name with space'
		printf 'lower\n' | tee removed-file removed-dir/sub/file replaced-dir/old replaced-dir/sub/old merged-dir/kept \
			merged-dir/changed merged-dir/removed dir-to-link/file dir-to-file/file link-target/file mode-changed \
			file-to-dir linked-later 'removed name with space/file' >/dev/null
		ln -s link-target link-to-dir
		ln mode-changed mode-changed-too
	)
}

# fixture_upper DIR: as the system with both layers has it; DIR is a copy of the lower one.
fixture_upper() {
	(
		cd "$1" || exit
		rm -r removed-file removed-dir replaced-dir merged-dir/removed dir-to-link dir-to-file file-to-dir link-to-dir \
			'removed name with space'
		mkdir replaced-dir file-to-dir link-to-dir
		printf 'upper\n' | tee replaced-dir/new merged-dir/changed merged-dir/added dir-to-file file-to-dir/file \
			link-to-dir/file 'name with space' $'name with\nnewline' 'name with \ backslash' 'name-ünïcode-文字' \
			hard-link-a setuid capability owned >/dev/null
		ln -s link-target dir-to-link
		ln hard-link-a hard-link-b
		ln hard-link-a merged-dir/hard-link-c
		ln linked-later merged-dir/linked-later-too
		chmod 4755 setuid
		chown 1000:1001 owned
		chmod 600 mode-changed
		setcap cap_net_bind_service+ep capability
		chmod 2775 merged-dir
	)
}
