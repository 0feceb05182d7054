#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host whose KVM gave up: asked for nested virtualisation, on a GICv2.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh k73-gicv2-nested tests/boot/doctor-no-kvm.sh
