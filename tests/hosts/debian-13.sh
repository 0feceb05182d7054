#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian 13's libraries on the usual host: all tests of guests.
ERET_LIBRARIES=debian-13 exec "$(dirname "$0")/../suites/gicv3.sh" tests/boot/libraries.sh tests/boot/smoke.sh
