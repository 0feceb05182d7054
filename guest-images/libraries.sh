# SPDX-License-Identifier: Apache-2.0
# Sourced: programs out of Debian's packages with all libraries that they need and their loader, as the host's may be
# older. Wants private-apt.sh, and $tree and $new, below $work: what was unpacked, and what is being made:
#
#   $new/bin/NAME         starts it
#   $new/libexec/NAME     the program
#   $new/lib/             the libraries, and the loader
# shellcheck shell=bash disable=SC2154

loader_of() { readelf -l "$1" | sed -n 's,.*program interpreter: .*/\(.*\)\],\1,p'; }

declare -A libraries_seen
# add_libraries PROGRAM: those that it needs, and theirs, and the loader.
add_libraries() {
    local name file
    while read -r name; do
        [ -z "${libraries_seen[$name]-}" ] || continue
        libraries_seen[$name]=1
        file=$(find "$tree" -name "$name" \( -type f -o -xtype f \) -print -quit)
        [ -n "$file" ] || fail "$1 needs $name, which none of the packages has"
        cp -L "$file" "$new/lib/"
        add_libraries "$file"
    done < <(readelf -dl "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s,.*program interpreter: .*/\(.*\)\],\1,p')
}

# add_program FILE: FILE, which was unpacked, under its own name.
add_program() {
    local name=${1##*/}
    mkdir -p "$new/bin" "$new/lib" "$new/libexec"
    cp "$1" "$new/libexec/"
    add_libraries "$1"
    # The loader is named in the program by a path where the host has its own.
    cat > "$new/bin/$name" << END
#!/bin/sh
here=\$(cd "\$(dirname "\$0")/.." && pwd)
exec "\$here/lib/$(loader_of "$1")" --argv0 "\${0##*/}" --library-path "\$here/lib" "\$here/libexec/\${0##*/}" "\$@"
END
    chmod 755 "$new/bin/$name"
}
