#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Container images by the real skopeo and umoci, as far as a machine's plan: what lies in the cache afterwards, what is
# unpacked once, and what is refused. Needs no KVM. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/build/native/eret
program=$PWD/build/init/eret-init # any program for ARM64
for tool in skopeo umoci jq; do
    command -v "$tool" > /dev/null || { echo "1..0 # SKIP there is no $tool"; exit; }
done
cd "$work" || exit 1
evidence=errors
export HOME=$work XDG_CACHE_HOME=$work/cache
mkdir -p .config/containers
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > .config/containers/policy.json
echo kernel > kernel
images=cache/eret/images

# add_image TAG OPTION...: an image in layout/, of the directory tree/
umoci init --layout layout
add_image() {
    local tag=$1
    shift
    umoci new --image "layout:$tag" && umoci unpack "${rootless[@]}" --image "layout:$tag" bundle && cp -a tree/. bundle/rootfs/ &&
        umoci repack --image "layout:$tag" bundle && umoci config --image "layout:$tag" --os linux --architecture arm64 "$@"
    rm -rf bundle
} > add.log 2>&1
rootless=()
[ "$(id -u)" = 0 ] || rootless=(--rootless)

mkdir -p tree/etc tree/bin outside
cp "$program" tree/bin/program
chmod 4755 tree/bin/program
echo 'root:x:0:0::/:' > tree/etc/passwd
ln -s "$work/outside" tree/etc/dir
ln -s /etc/shadow tree/etc/shadow
mkdir tree/closed
echo kept > tree/closed/file
add_image app --config.entrypoint /bin/program --config.cmd one
add_image other --config.label x=y --config.entrypoint /bin/program
add_image foreign --architecture amd64 --config.cmd x
add_image bare
skopeo copy -q oci:layout:app docker-archive:app.tar:app:1
skopeo copy -q oci:layout:app oci-archive:app.oci

# made OPTION...: eret exec, as far as the machine's plan; the kernel is a flat one.
made() { timeout 120 "$eret" exec --kernel kernel --kernel-format raw --memory 256M --dry-run "$@" > out 2> errors < /dev/null; }
how_many() { find "$images" -mindepth 1 -maxdepth 1 -name 'sha256-*' ! -name '*.lock' ! -name '*.new' | wc -l; }

made --image oci:layout:app
result $? "an image in a directory"
root=$(echo "$images"/sha256-*/rootfs)
digest=$(skopeo inspect --config --raw oci:layout:app | sha256sum | cut -d' ' -f1)
[ "$root" = "$images/sha256-$digest-$(id -u)/rootfs" ] && [ "$(cat "$root/../name")" = oci:layout:app ]
result $? "it is kept by the digest of its configuration, with its name"
[ "$(stat -c '%a' "$images")" = 700 ] && [ "$(readlink "$root/etc/dir")" = "$work/outside" ] && [ "$(cat "$root/closed/file")" = kept ] &&
    [ -z "$(ls -A outside)" ] && [ "$(stat -c %a "$root/bin/program")" = 4755 ]
result $? "for this user alone, with links and modes as they are in it"
[ ! -s errors ]
result $? "of which nothing is said where nobody looks on"

before=$(stat -c '%i %Z' "$root")
made --image oci:layout:app && [ "$(stat -c '%i %Z' "$root")" = "$before" ] && [ "$(how_many)" = 1 ]
result $? "it is not unpacked again"
(cd tree && timeout 120 "$eret" run --kernel ../kernel --kernel-format raw --dry-run --image oci:../layout:app -- x > ../out 2> ../errors) &&
    [ "$(stat -c '%i %Z' "$root")" = "$before" ]
result $? "nor by eret run, from elsewhere"
echo '{"image": "oci:layout:app"}' > machine.json
(cd tree && made --kernel ../kernel --config ../machine.json) && [ "$(stat -c '%i %Z' "$root")" = "$before" ]
result $? "nor by a description, whose paths start at its own directory"

made --image oci-archive:app.oci && made --image docker-archive:app.tar && made --image docker-archive:app.tar:app:1
result $? "archives of both kinds"
rm -rf cache
made --image oci:layout:app & first=$!
(cd tree && timeout 120 "$eret" exec --kernel ../kernel --kernel-format raw --dry-run --image oci:../layout:app > ../out2 2> ../errors2)
second=$?
wait $first && [ $second = 0 ] && [ "$(how_many)" = 1 ] && [ -z "$(find "$images" -name '*.new')" ]
result $? "two at a time have one image"

# refused TEXT NAME OPTION...: it is so, with a message that ends in TEXT.
refused() {
    local text=$1 name=$2
    shift 2
    ! made "$@" && [ "$(wc -l < errors)" = 1 ] && grep -qE -e "^eret: --image [^ ]*: $text\$" errors && [ "$(how_many)" = 1 ] &&
        [ -z "$(find "$images" -name '*.new')" ]
    result $? "$name"
}
refused "its architecture is 'amd64', and the guest's is arm64" "one for other machines" --image oci:layout:foreign
refused 'skopeo: .*no descriptor found for reference "none"' "one that is not there" --image oci:layout:none
refused 'skopeo: .*more than one image in oci, choose an image' "one of many" --image oci:layout
refused "skopeo: .*(invalid tar header|unexpected EOF)" "what is no archive" --image "docker-archive:$PWD/kernel"

# Contents that are not those whose digests the configuration has: of a layer, by skopeo; of what is in it, by umoci.
mkdir bad bad/layer
tar -C bad -xf app.tar
layer=$(cd bad && ls ./*.tar)
tar -C bad/layer -xf "bad/$layer"
echo more > bad/layer/new
tar -C bad/layer -cf "bad/$layer" .
rm -r bad/layer
jq -c '.config.Env = ["A=b"]' bad/????????????????????????????????????????????????????????????????.json > bad/config.json
jq -c '.[0].Config = "config.json"' bad/manifest.json > bad/new.json
mv bad/new.json bad/manifest.json
rm -f bad/????????????????????????????????????????????????????????????????.json
(cd bad && tar -cf ../bad.tar ./*)
refused "skopeo: .*[Dd]igest did not match.*" "a layer with other contents" --image docker-archive:bad.tar

made --image oci:layout:bare
[ $? = 240 ] && grep -qx "eret: --image oci:layout:bare: the image has neither entry point nor command: say what is to run in it, behind --, as in -- /bin/sh" errors
result $? "nothing to run"
made --image oci:layout:bare -- /bin/program
result $? "but what is said"

# What is wrong without looking at the image is all told at once.
made --image oci:none --rootfs tree --entrypoint x
grep -q "^eret: --image: 'none' is no directory" errors && grep -q "^eret: --image: the root is the image's, and none of --rootfs" errors
result $? "beside another root"
made --image dir:tree
like errors "'dir:tree' is none of oci:DIR" "of another transport"
"$eret" run --kernel kernel -- word 2> errors
like errors "unexpected argument 'word'" "words without an image are none of eret run's"

# A killed one leaves none, and what it was at is removed.
mkdir -p tools
cat > tools/umoci << 'END'
#!/bin/sh
echo $$ > umoci.pid
exec sleep 1000
END
chmod 755 tools/umoci
rm -rf cache
(PATH=$PWD/tools:$PATH && exec "$eret" exec --kernel kernel --kernel-format raw --dry-run --image oci:layout:app > out 2> errors) &
pid=$!
for _ in $(seq 600); do [ ! -s umoci.pid ] || break; sleep 0.1; done
kill $pid
wait $pid 2> /dev/null
for _ in $(seq 100); do grep -q '^State:.*[SR]' "/proc/$(cat umoci.pid)/status" 2> /dev/null || break; sleep 0.1; done
! grep -q '^State:.*[SR]' "/proc/$(cat umoci.pid)/status" 2> /dev/null && [ "$(how_many)" = 0 ]
result $? "one that was ended leaves no image, and has ended umoci"
made --image oci:layout:app && [ "$(how_many)" = 1 ] && [ -z "$(find "$images" -name '*.new')" ]
result $? "and the next one makes it"

# Without root, umoci makes all files its user's.
if [ "$(id -u)" = 0 ] && chmod 755 "$work" && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$eret"; then
    mkdir user
    cp -r layout .config user/
    cp kernel user/
    chown -R 65534:65534 user
    (cd user && HOME=$PWD XDG_CACHE_HOME=$PWD/cache setpriv --reuid 65534 --regid 65534 --clear-groups timeout 120 "$eret" exec --kernel kernel \
        --kernel-format raw --memory 256M --dry-run --image oci:layout:app > ../out 2> ../errors)
    status=$?
    [ $status = 0 ] && [ "$(stat -c '%u' user/cache/eret/images/sha256-*-65534/rootfs/etc/passwd)" = 65534 ]
    result $? "of another user than root"
else
    skip "of another user than root" "this is one, or another cannot start eret"
fi
plan
