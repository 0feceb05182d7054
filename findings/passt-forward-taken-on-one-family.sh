#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# passt 0.0~git20230309 (Debian 12) and 0.0~git20250503 (Debian 13): a port that is to be forwarded (--tcp-ports PORT)
# and is taken by another program in IPv4 alone is forwarded in IPv6 alone. passt starts, says nothing, and its exit
# status is that of a good run.
#
# Expected: what happens when the port is taken in both families: passt does not start, and says which port it is. Or a
#   warning at least: who connects to 127.0.0.1 reaches another program, and nobody has said so.
# Seen: both versions run on, without a word about the port; a listening socket of theirs is there for IPv6.
# Met by: a monitor that starts passt for a machine and wants to tell its user that a forward cannot be had. It has to
#   try the ports itself first.
#
# Usage: passt-forward-taken-on-one-family.sh     needs root, apt, python3 and iproute2 on Debian 12 (amd64), IPv6;
# exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch bookworm passt=0.0~git20230309.7c7625d-1
debian_fetch trixie passt=0.0~git20250503.587980c-2+deb13u1 libc6

cat > try.py << 'END'
import socket, subprocess, sys, time

command, families = sys.argv[2:], sys.argv[1]
taken = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    if str(family.name) in families.split(","):
        one = socket.socket(family)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, 28761))
        one.listen()
        taken.append(one)
ours, its = socket.socketpair()
passt = subprocess.Popen(command + ["--foreground", "--quiet", "--fd", str(its.fileno()), "--tcp-ports", "28761"],
                         pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
its.close()
time.sleep(1)
runs = passt.poll() is None
ours.close()
try:
    said = passt.communicate(timeout=5)[0].decode()
except subprocess.TimeoutExpired:
    passt.kill()
    said = passt.communicate()[0].decode()
print("runs" if runs else "ends", "says the port" if "28761" in said or "bind" in said else "says nothing of the port")
END

# run FAMILIES, with each version
old() { python3 try.py "$1" "$here/bookworm/root/usr/bin/passt"; }
new() {
    python3 try.py "$1" "$here/trixie/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path \
        "$here/trixie/root/usr/lib/x86_64-linux-gnu" "$here/trixie/root/usr/bin/passt"
}
for families in none AF_INET,AF_INET6 AF_INET AF_INET6; do
    printf 'taken: %-18s Debian 12: %-35s Debian 13: %s\n' "$families" "$(old $families)" "$(new $families)"
done | tee seen
grep -q 'taken: AF_INET  .*Debian 12: runs says nothing of the port .*Debian 13: runs says nothing of the port' seen
