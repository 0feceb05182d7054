# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Where guests can run (sourced, not run).

# Prints why guests cannot run on this machine itself; nothing if they can.
why_not_here() {
    machine=$(uname -m)
    if [ "$machine" != aarch64 ]; then
        echo "this machine is $machine"
    elif ! [ -e /dev/kvm ]; then
        echo "this machine has no /dev/kvm"
    elif ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
        echo "$(id -un) may not use this machine's /dev/kvm"
    fi
}
