# shellcheck shell=bash
# Packages of our own, for the pool. Sourced by make-standin-iso.sh; they land in $extra/COMPONENT.

# deb_directory NAME: an empty package root, which $deb names from then on.
deb_directory() {
	deb=$work/deb/$1
	mkdir -p "$deb/DEBIAN"
}

# deb_script NAME <TEXT: a maintainer script.
deb_script() {
	{
		printf '#!/bin/sh\nset -e\n'
		cat
	} >"$deb/DEBIAN/$1"
	chmod 755 "$deb/DEBIAN/$1"
}

# deb_build COMPONENT NAME VERSION DEPENDS: make the package of $deb. Not compressed: the ISO is made once, and read often.
deb_build() {
	cat >"$deb/DEBIAN/control" <<-EOF
		Package: $2
		Source: standin
		Version: $3
		Architecture: amd64
		Maintainer: Stand-in ISO <nobody@example.org>
		Section: kernel
		Priority: optional
		${4:+Depends: $4}
		Description: stand-in for Ubuntu's package of this name
	EOF
	sed -i '/^$/d' "$deb/DEBIAN/control"
	mkdir -p "$extra/$1"
	dpkg-deb --root-owner-group -Zgzip -z1 --build "$deb" "$extra/$1/$2.deb" >/dev/null
	rm -rf "$deb"
}

# deb_meta NAME VERSION DEPENDS: a package that only depends on others.
deb_meta() {
	deb_directory "$1"
	deb_build main "$1" "$2" "$3"
}
