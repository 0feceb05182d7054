#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# iasl 20250404 (Debian 13): an SPCR table of revision 2, which has 80 bytes, is taken apart as if it were one of
# revision 4: "ACPI table terminates in the middle of a data structure". What comes of it cannot be compiled again:
# "Internal compiler error Found NULL field - Field name "Precise Baud rate" needed".
#
# Expected: as with revisions 2 and 3 of other tables, and as iasl 20200925 (Debian 12) does it: the fields that the
#   revision has, and the same 80 bytes again.
# Seen: the two messages; iasl ends with an error, and there is no table.
# Met by: who makes ACPI tables for Arm servers or virtual machines, where SPCR 2 is what most have, and holds them
#   against iasl: the test that was good on Debian 12 fails on Debian 13, whatever the table.
#
# Usage: iasl-spcr-revision-2-not-put-together.sh     needs apt and python3 on Debian 12 (amd64); exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch bookworm acpica-tools=20200925-8
debian_fetch trixie acpica-tools=20250404-1 libc6

# Microsoft, "Serial Port Console Redirection Table", revision 2: a PL011 at 0x9000000, interrupt 33.
python3 - << 'END'
import struct
body = struct.pack("<B3sBBBBQBBIBBBBBBHHBBBIBI", 3, b"", 0, 32, 0, 3, 0x9000000, 8, 0, 33, 0, 0, 1, 0, 2, 0, 0xFFFF, 0xFFFF,
                   0, 0, 0, 0, 0, 0)
table = bytearray(struct.pack("<4sIBB6s8sI4sI", b"SPCR", 36 + len(body), 2, 0, b"ORG   ", b"EXAMPLE ", 1, b"INTL", 0x20200925) + body)
table[9] = -sum(table) & 255
open("spcr.dat", "wb").write(table)
END

# again DIRECTORY IASL...: takes the table apart and puts it together there; says how that went.
again() {
    mkdir "$1"
    cp spcr.dat "$1/"
    (
        cd "$1"
        shift
        "$@" -d spcr.dat > apart 2>&1
        grep -o 'terminates in the middle of a data structure' spcr.dsl || echo "taken apart"
        if "$@" -p again spcr.dsl > together 2>&1; then cmp spcr.dat again.aml && echo "the same again"
        else grep -o 'Found NULL field - Field name .* needed' together; fi
    ) | paste -s -d ';'
}
lib=$here/trixie/root/usr/lib/x86_64-linux-gnu
old=$(again old "$here/bookworm/root/usr/bin/iasl")
new=$(again new "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$here/trixie/root/usr/bin/iasl")
echo "20200925: $old"
echo "20250404: $new"
[ "$old" = "taken apart;the same again" ]
[ "$new" = 'terminates in the middle of a data structure;Found NULL field - Field name "Precise Baud rate" needed' ]
