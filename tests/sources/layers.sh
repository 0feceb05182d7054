#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the sources against the table beside this file: which folder includes which. And only the commands print:
# what stands below them logs (g_message), writes to what it was handed, or tells (vmm/base/tell.h). Says what is wrong,
# a line each, and ends with status 1; silent where all is well.
#
# Usage: layers.sh [TREE]      TREE: of other sources, for this script's own test (default: ours)
set -u
table=$(cd "$(dirname "$0")" && pwd)/layers
whole=${1+no}
cd "${1:-$(dirname "$0")/../..}" || exit

# shellcheck disable=SC2016  # it is awk's $
find vmm devices fdt -name '*.[chS]' | sort | xargs awk -v table="$table" -v whole="$whole" '
  function folder(path) {
    sub("/[^/]*$", "", path)
    return path
  }
  BEGIN {
    while ((getline line < table) > 0) {
      if (line ~ /^#/ || line ~ /^one / || !split(line, words))
        continue
      n = split(line, words)
      for (i = 2; i <= n; i++) {
        may[words[1], words[i]] = 1
        unused[words[1] " " words[i]] = 1
        above = words[i]
        if (!(above in known))
          wrong("tests/sources/layers: " words[1] " may include " above ", which stands below it")
      }
      known[words[1]] = 1
    }
  }
  function wrong(text) {
    print text
    status = 1
  }
  FNR == 1 {
    here = folder(FILENAME)
    # Where messages are written, and the stream that a file option names as -.
    prints = here == "vmm/cmd" || FILENAME ~ /^(vmm\/main|devices\/backend\/message|vmm\/base\/output-file)\.[ch]$/
    if (!(here in known))
      wrong(FILENAME ": its folder is not in tests/sources/layers")
    if (here == "vmm" && FILENAME != "vmm/main.c")
      wrong(FILENAME ": stands loose in vmm/; each file belongs to a folder of its own subject")
  }
  /^#[ \t]*include[ \t]*"/ {
    split($0, parts, "\"")
    there = folder(parts[2])
    delete unused[here " " there]
    if (there != here && !((here, there) in may))
      wrong(FILENAME ":" FNR ": " here " may not include " parts[2])
  }
  /^#[ \t]*include[ \t]*<(linux|asm)\/kvm\.h>/ && FILENAME != "vmm/arm/kvm-abi.h" {
    wrong(FILENAME ":" FNR ": only vmm/arm/kvm-abi.h includes " $2)
  }
  !prints && (/(^|[^a-z_])(v?printf|puts|putchar|perror|g_print|g_printerr|message_say)\(/ || /printf\((stdout|stderr),/ ||
               /(puts|putc|fwrite)\(.*, (stdout|stderr)\)/) && !/^ *(\/\*|\*)/ {
    wrong(FILENAME ":" FNR ": prints, which only the commands do")
  }
  END {
    for (pair in unused) {
      if (whole == "no")
        break
      split(pair, words)
      wrong("tests/sources/layers: " words[1] " need not include " words[2])
    }
    exit status
  }'
status=$?

# Circles. What A and B of "one A B" are to the rest is A.
# shellcheck disable=SC2016
circles=$(find vmm devices fdt -name '*.[chS]' -exec awk -v table="$table" '
  function piece(path) {
    sub("\\.[^.]*$", "", path)
    return path in one ? one[path] : path
  }
  BEGIN {
    while ((getline line < table) > 0)
      if (split(line, words) == 3 && words[1] == "one")
        one[words[3]] = words[2]
  }
  /^#[ \t]*include[ \t]*"/ {
    split($0, parts, "\"")
    if (piece(FILENAME) != piece(parts[2]))
      print piece(FILENAME), piece(parts[2])
  }' {} + | LC_ALL=C tsort 2>&1 > /dev/null | sed 's/^tsort: //')
if [ "$circles" ]; then
    echo "these need each other:"
    echo "$circles"
    status=1
fi
exit "$status"
