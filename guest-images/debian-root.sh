#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a root file system of Debian 13's for arm64 with systemd, udev and sshd, and OpenSSH's programs for an emulated
# host:
#
# Usage: debian-root.sh OUT
#
#   OUT/root.ext4         the root: no password, no key of anybody's, no network
#   OUT/bin/ssh, ssh-keygen    start OpenSSH's, with OUT/libexec/ and OUT/lib/, as the host's libraries may be older
#
# What is already there is left alone, unless this script is newer, or what it shares with others.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-root.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/root.ext4" ] || [ -n "$(find "$here/debian-root.sh" "$here/debian-tree.sh" "$here/libraries.sh" -newer "$out/root.ext4")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"
# shellcheck source=guest-images/libraries.sh
. "$here/libraries.sh"

begin_debian 13 trixie
unpack openssh-server
add_program "$tree/usr/bin/ssh"
add_program "$tree/usr/bin/ssh-keygen"
configure
mask systemd-logind serial-getty@ # nobody logs in on the console
configure_ssh
make_ext4 "$new/root.ext4"
finish_debian "$out"
