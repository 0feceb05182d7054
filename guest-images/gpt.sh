# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A disk for firmware (sourced, not run). Wants sfdisk and mtools.

# gpt IMAGE ESP-MIB SERIAL [ROOT-MIB]: an empty disk with a GPT and an EFI system partition from 1 MiB on, which mtools
# call IMAGE@@1M: FAT32, so of 34 MiB or more; SERIAL, eight hexadecimal digits, is its ID. With ROOT-MIB there is also a
# root for arm64, behind it. A MiB at either end is for the tables.
gpt() {
    truncate -s "$((1 + $2 + ${4:-0} + 1))M" "$1"
    {
        echo "start=1MiB, size=${2}MiB, type=U, name=EFI"
        # The type: Discoverable Partitions Specification.
        [ -z "${4-}" ] || echo "start=$((1 + $2))MiB, size=${4}MiB, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE, name=root"
    } | sfdisk -q -X gpt "$1"
    mformat -i "$1@@1M" -F -T $(($2 * 2048)) -N "$3" -v EFI ::
}
