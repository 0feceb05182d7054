# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the scripts share that make systems of Debian's for arm64 (sourced, not run). Wants $here (this directory) and
# $build.
#
# What is between begin_debian and finish_debian (private-apt.sh) may say:
#
#   merge_usr             of a release whose packages still have files in /bin, before anything is unpacked
#   unpack PACKAGE...     into $tree, with what else is needed where nothing is there yet: $base is always
#   configure             what the packages' maintainer scripts would have done, see below
#   configure_ssh         sshd with a key of the host's, not enabled
#   mask UNIT...
#   make_ext4 IMAGE [MKE2FS-OPTION...]   a file system of $tree, where all is root's
#
# The packages are those that apt would install. Their maintainer scripts are programs for arm64, so what these would
# have done and is needed is done by `configure`: users, PAM's files, an ID. systemd does the rest when it boots.
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

# What is essential is no dependency of anything.
base="base-files base-passwd systemd-sysv udev libkmod2 dash bash coreutils login passwd mount"

merge_usr() {
    local dir
    for dir in bin sbin lib; do
        mkdir -p "$tree/usr/$dir"
        ln -s "usr/$dir" "$tree/$dir"
    done
}

unpack() {
    local package
    # shellcheck disable=SC2086  # words
    with_dependencies $base "$@" > "$work/packages"
    [ -s "$work/packages" ] || fail "Debian does not have all of: $base $*"
    while read -r package; do
        download "$package" "$tree"
    done < "$work/packages"
    # Nobody reads here.
    rm -rf "$tree"/usr/share/{doc,man,info,locale,lintian,bug,bash-completion,zsh,perl5,common-licenses} "$tree/usr/lib/udev/hwdb.d" \
        "$tree/usr/lib/aarch64-linux-gnu/gconv" "$tree/usr/lib/aarch64-linux-gnu/perl-base"
}

mask() {
    local unit
    for unit; do
        ln -s /dev/null "$tree/etc/systemd/system/$unit.service"
    done
}

configure() {
    local etc=$tree/etc part
    cp "$tree/usr/share/base-passwd/passwd.master" "$etc/passwd"
    cp "$tree/usr/share/base-passwd/group.master" "$etc/group"
    sed 's/^\([^:]*\):.*/\1:*:20000:0:99999:7:::/' "$etc/passwd" > "$etc/shadow"
    chmod 640 "$etc/shadow"
    sed -i 's/^\([^:]*\):\*:/\1:x:/' "$etc/passwd"
    # Systems that have booted before have an ID; what a first boot of another kind would build is not needed.
    tr -d - < /proc/sys/kernel/random/uuid > "$etc/machine-id"
    echo debian > "$etc/hostname"
    mask systemd-hwdb-update ldconfig systemd-journal-catalog-update systemd-firstboot getty-static
    for part in auth account session password; do
        echo "$part required pam_unix.so" > "$etc/pam.d/common-$part"
        cp "$etc/pam.d/common-$part" "$etc/pam.d/common-$part-noninteractive"
    done
    mkdir -p "$tree/var/log" "$tree/root"
    chmod 700 "$tree/root"
}

configure_ssh() {
    command -v ssh-keygen > /dev/null || fail "there is no ssh-keygen for the host key of Debian's sshd; install openssh-client"
    mkdir -p "$tree/etc/ssh/sshd_config.d"
    cp "$tree/usr/share/openssh/sshd_config" "$tree/etc/ssh/"
    ssh-keygen -q -t ed25519 -N '' -C root@debian -f "$tree/etc/ssh/ssh_host_ed25519_key"
}

make_ext4() {
    local mib image=$1
    shift
    mib=$(($(du -sm --apparent-size "$tree" | cut -f1) * 12 / 10 + 48))
    truncate -s "${mib}M" "$image"
    mke2fs -q -F -t ext4 -m 0 -E root_owner=0:0 "$@" -d "$tree" "$image"
    # What was unpacked by somebody else than root is root's all the same.
    [ "$(id -u)" = 0 ] || (cd "$tree" && find . -printf 'sif "/%P" uid 0\nsif "/%P" gid 0\n') | debugfs -w -f - "$image" > /dev/null 2>&1
}
