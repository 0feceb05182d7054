#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# Directories of the host's under load, by Debian 13's virtiofsd: more files than a process may have open, what file
# systems are tried with, and what programmers do all day.
# limit: 4500
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$FIXTURES/debian-13/bin:$PATH
exec_limit=2400 # of hundreds of thousands of calls, each of which goes to the daemon
command -v busybox > /dev/null || skip_all "there is no busybox"
command -v virtiofsd > /dev/null || skip_all "there is no virtiofsd"
own_network  # and a root of its own

# make_many DIRECTORY COUNT: so many files, a thousand to a directory.
make_many() {
    for number in $(seq "$(($2 / 1000))"); do
        mkdir "$1/$number"
        (cd "$1/$number" && busybox seq 1000 | busybox xargs touch)
    done
}

# More files than anybody may have open: root's virtiofsd finds them by their handles.
mkdir many
n=$(usual 200000 10000)
make_many many "$n"
run_exec --copy-in "$GUESTS/file-checks" --share many,at=/many -- /file-checks walk /many
is "$status $(cat out)" "0 found $n, opened $n, failed 0" "$n files are looked at and opened"
is "$(cat "$errors")" "" "none of which is one too many"
rm -rf many

# Of a user's, each file that the guest knows is an open one: that is said before, the guest gets errors and no less,
# and once it has forgotten some, it may see others.
dir=$(mktemp -d /tmp/share.XXXXXX)
mkdir "$dir/share"
make_many "$dir/share" 6000
chown -R 65534:65534 "$dir"
mknod kvm c 10 232 && chmod 666 kvm && mount --bind kvm /dev/kvm
cat > "$dir/eret" << END
#!/bin/sh
ulimit -n 2048
exec start-stop-daemon -S -q -p none -c nobody -x /bin/env -- "$ERET" "\$@"
END
chmod 755 "$dir/eret"
of_root=$ERET
ERET=$dir/eret
run_exec --copy-in "$GUESTS/file-checks" --share "$dir/share,at=/share" -- sh -c '
    /file-checks walk /share
    tries=0
    until echo 3 > /proc/sys/vm/drop_caches && ls -l /share/6 > /files 2> /dev/null || [ $tries = 60 ]; do
        tries=$((tries + 1))
        sleep 1
    done
    wc -l < /files'
ERET=$of_root
like out '^found [0-9]+, opened [1-9][0-9]*, failed [1-9][0-9]*: Too many open files( in system)?$' "a user's virtiofsd with 2048 descriptors: no more files than that, and an error that says so" || comment_file errors "$errors"
is "$status $(tail -n 1 out)" "0 1001" "when the guest forgets some, it sees others"
like "$errors" 'virtiofsd may have 2048 files open, .*raise the hard limit' "and how many there can be was said before"
umount /dev/kvm
rm -rf "$dir"

[ -e "${DEBIAN_TOOLS-}/tools.ext4" ] || { skip "programs of Debian's" "there is no root with them"; exit; }
mkdir tools work
mount -t ext4 -o ro,loop "$DEBIAN_TOOLS/tools.ext4" tools

# All that stress-ng has for file systems, one after the other, but for
#   of other things, whatever the directory is on:  dup eventfd fd-fork ioprio procfs statmount
#   that mount file systems of their own:           bind-mount binderfs
#   that FUSE does not have:                        verity (FS_IOC_ENABLE_VERITY)
#   of the whole guest, for minutes:                fanotify (marks each of its mounts)
run_exec --cpus 2 --memory 512M --rootfs tools --share work,xattr,at=/src -- sh -c '
    stress-ng --class filesystem --sequential 1 --timeout 3 --verify --temp-path /src --copy-file-bytes 128M --fallocate-bytes 16M --fiemap-bytes 16M \
        --fpunch-bytes 16M --hdd-bytes 16M --iomix-bytes 16M --sync-file-bytes 16M \
        --exclude dup,eventfd,fd-fork,ioprio,procfs,statmount,bind-mount,binderfs,verity,fanotify 2>&1'
passed=$(sed -n 's/.* passed: \([0-9]*\):.*/\1/p' out)
is "$status $(grep -E ' (fail|error): ' out)" "0 " "stress-ng finds nothing wrong with a share" || comment_file "what it says" out
check "of what it has it has tried most: ${passed:-none}" [ "${passed:-0}" -ge 30 ]
is "$(ls -A work)" "" "and leaves nothing behind"
is "$(cat "$errors")" "" "nobody has anything to complain of"
rm -rf work

# A repository and a program, made, cloned, and built; what is up to date is not built again.
for cache in auto always; do
    mkdir work
    run_exec --cpus 2 --memory 512M --rootfs tools --share work,at=/src,cache=$cache -- bash -ec '
        cd /src
        export HOME=/root GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git init -q -b main origin
        cd origin
        calls="" declarations=""
        for i in 1 2 3 4 5 6; do
            printf "#include \"all.h\"\nint part_%d(void) { return %d; }\n" $i $i > part-$i.c
            declarations="${declarations}int part_$i(void);\n" calls="$calls + part_$i()"
        done
        printf "$declarations" > all.h
        printf "#include \"all.h\"\n#include <stdio.h>\nint main(void) { return printf(\"built %%d\\\\n\", 0$calls) < 0; }\n" > main.c
        printf "objects := \$(patsubst %%.c,%%.o,\$(wildcard *.c))\nprogram: \$(objects)\n\tgcc -o \$@ \$^\n\$(objects): %%.o: %%.c all.h\n\tgcc -O1 -c -o \$@ \$<\n" > Makefile
        printf "*.o\nprogram\n" > .gitignore
        git add -A
        git commit -q -m first
        git clone -q /src/origin /src/clone
        cd /src/clone
        git fsck --strict 2> /dev/null
        make -s -j2
        ./program
        make -q && echo "up to date"
        touch part-3.c
        make | grep -c gcc
        git gc -q
        git status --porcelain | wc -l
        git log --format=%s'
    is "$status $(cat out)" "0 $(printf '%s\n' 'built 21' 'up to date' 2 0 first)" "cache=$cache: git makes and clones a repository, and make builds it" || comment_file errors "$errors"
    check "the program is here" [ -x work/clone/program ]
    rm -rf work
done
umount tools
