#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing, and says which. Silent, and instant, when nothing is.
#
# Usage: install.sh [--list] build|run|check|fuzz
#
#   build  what compiling needs: elsewhere than on ARM64 a cross-compiler and the libraries for arm64 as a foreign architecture
#   run    also what making guest images needs, and QEMU for the emulated host where this machine has no ARM64 KVM of its own
#   check  also what the tests and the checks of the sources need
#   fuzz   what compiling needs, and clang with the runtimes of its sanitizers and of libFuzzer
#   --list only prints the packages
#
# Debian 12 and 13, x86-64 and arm64. Needs root or sudo when something is missing. Debian 12's own QEMU is too old for the
# emulated host, so there bookworm-backports is added to apt's sources for it. On other distributions it only names the packages.
# Nothing is ever removed: where a package of the user's is in the way, it is named, and nothing is installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"

fail() { echo "install.sh: $*" >&2; exit 1; }

list=
[ "${1-}" != --list ] || { list=1; shift; }
level=${1-}
case $level in build | run | check | fuzz) ;; *) fail "usage: install.sh [--list] build|run|check|fuzz" ;; esac

machine=$(uname -m)
libraries="libglib2.0-dev libjson-glib-dev zlib1g-dev libzstd-dev liblz4-dev liburing-dev libtracefs-dev libtraceevent-dev libelf-dev libcrypt-dev"

# --- what is wanted ------------------------------------------------------------------------------------------------------------

# A|B: the one or the other, whichever this Debian has.
wanted="gcc make pkg-config libc6-dev libfdt-dev libarchive-dev $libraries"
if [ "$machine" != aarch64 ]; then
    # The development packages of these two libraries exclude those of another architecture, libfdt's in Debian 12,
    # libarchive's in Debian 13; the headers are the same, so the library alone does.
    wanted="$wanted gcc-aarch64-linux-gnu libc6-dev-arm64-cross libfdt1:arm64 libarchive13t64:arm64|libarchive13:arm64"
    for library in $libraries; do
        wanted="$wanted $library:arm64"
    done
fi
qemu=
if [ "$level" = run ] || [ "$level" = check ]; then
    wanted="$wanted cpio xz-utils zstd e2fsprogs device-tree-compiler kmod mtools fdisk"
    if [ "$machine" != aarch64 ] || ! [ -w /dev/kvm ]; then
        qemu=1
        wanted="$wanted qemu-system-arm"
    fi
fi
if [ "$level" = check ]; then
    wanted="$wanted git lz4 perl clang-format clang-tidy shellcheck chromium chromium-driver python3-selenium libxml2-utils rsync acpica-tools dmidecode openssh-client"
    # Of root the browser wants no sandbox; elsewhere it may be refused one without this.
    [ "$(id -u)" = 0 ] || wanted="$wanted chromium-sandbox"
    # The kernel's own tests, and the cluster that runs a suite.
    if [ "$machine" != aarch64 ]; then wanted="$wanted libcap-dev:arm64"; else wanted="$wanted libcap-dev"; fi
    wanted="$wanted slurmctld slurmd slurm-client munge"
fi
[ "$level" != fuzz ] || wanted="$wanted clang llvm libclang-rt-dev"

if [ -n "$list" ]; then
    echo "$wanted" | tr ' ' '\n'
    exit 0
fi
if ! command -v dpkg-query >/dev/null; then
    stamp=$root/build/.packages-named
    if [ ! -e "$stamp" ]; then
        echo "This is not Debian: nothing is installed by itself. Needed are the equivalents of: $wanted" >&2
        mkdir -p "$root/build" && touch "$stamp"
    fi
    exit 0
fi

# --- what is missing -----------------------------------------------------------------------------------------------------------

oldest_qemu=1:9.0  # the first with nested virtualisation (FEAT_NV2)
native=$(dpkg --print-architecture)
missing=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}:${Architecture} ${Version}\n' 2>/dev/null |
    awk -v wanted="$wanted" -v native="$native" '
        $1 == "ii" { have[$2] = 1 }
        END {
            n = split(wanted, names, " ")
            for (i = 1; i <= n; i++) {
                found = 0
                m = split(names[i], either, "|")
                for (j = 1; j <= m; j++) {
                    name = either[j]
                    if (name ~ /:/ ? name in have : (name ":" native) in have || (name ":all") in have) found = 1
                }
                if (!found) printf "%s ", names[i]
            }
        }')
missing=${missing% }
if [ -n "$qemu" ]; then
    case " $missing " in
    *" qemu-system-arm "*) ;;
    *)
        version=$(dpkg-query -W -f '${Version}' qemu-system-arm)
        dpkg --compare-versions "$version" ge "$oldest_qemu" || missing="$missing qemu-system-arm"
        ;;
    esac
fi
[ -n "$missing" ] || exit 0

# --- installing ----------------------------------------------------------------------------------------------------------------

if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo=sudo
else
    fail "packages are missing, and installing them needs root or sudo. As root:
  ${here}/install.sh $level
or by hand (on x86-64 after dpkg --add-architecture arm64):
  apt-get install $(echo "$missing" | sed 's/[^ ]*|//g')"
fi

mkdir -p "$root/build"
log=$root/build/install.log
: > "$log"

as_root() {
    $sudo env DEBIAN_FRONTEND=noninteractive "$@" >> "$log" 2>&1 || {
        tail -n 15 "$log" >&2
        fail "failed: $* (the whole log is $log)"
    }
}
apt() { as_root apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"; }

# choose PACKAGE...: of alternatives the one that apt knows.
choose() {
    for package; do
        chosen=${package%%|*}
        rest=$package
        while [ "$rest" != "${rest#*|}" ] && ! apt-cache show "$chosen" 2>/dev/null | grep -q '^Package:'; do
            rest=${rest#*|}
            chosen=${rest%%|*}
        done
        printf '%s ' "$chosen"
    done
}

# apt_install OPTION-OR-PACKAGE...: never at the price of a package that is there.
apt_install() {
    removed=$(apt-get -s install --no-install-recommends "$@" 2>>"$log" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    [ -z "$removed" ] || fail "in the way of what is needed: ${removed% }
Nothing was removed, and nothing installed. If you can do without, remove it yourself (apt-get remove ${removed% }) and try again.
Needed are: $*"
    apt install --no-remove --no-install-recommends "$@"
}

update=
case " $missing " in
*:arm64*)
    if ! dpkg --print-foreign-architectures | grep -qx arm64; then
        echo "adding arm64 to this machine's architectures (dpkg --add-architecture arm64): libraries for arm64 come as its packages" >&2
        as_root dpkg --add-architecture arm64
        update=1
    fi
    ;;
esac

# The rest of the packages, and QEMU by itself: it may come from another suite.
others=
need_qemu=
for package in $missing; do
    if [ "$package" = qemu-system-arm ]; then need_qemu=1; else others="$others $package"; fi
done

codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME-}")
suite=
if [ -n "$need_qemu" ] && [ "$codename" = bookworm ]; then
    suite=bookworm-backports
    if ! apt-cache policy | grep -q "n=$suite"; then
        file=/etc/apt/sources.list.d/eret-backports.sources
        debian_sources "$suite" > "$root/build/backports.sources" || fail "no apt source for Debian found under /etc/apt"
        echo "adding $suite to apt's sources ($file): this Debian's own QEMU is too old" >&2
        as_root install -m 644 "$root/build/backports.sources" "$file"
        update=1
    fi
fi

# shellcheck disable=SC2046,SC2086  # a list of packages
if [ -z "$update" ] && ! apt-get -s install --no-install-recommends $(choose $others) ${need_qemu:+qemu-system-arm} >/dev/null 2>&1; then
    update=1
fi
[ -z "$update" ] || apt update
others=$(
    # shellcheck disable=SC2086
    choose $others
)
echo "installing packages: $others${need_qemu:+qemu-system-arm}" >&2
# shellcheck disable=SC2086
[ -z "$others" ] || apt_install $others
# shellcheck disable=SC2086
[ -z "$need_qemu" ] || apt_install ${suite:+-t $suite} qemu-system-arm
