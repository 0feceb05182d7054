/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machines of fuzz-board.c: what there is of devices, on either transport, with and without a way past userspace.
 */
#pragma once

#include "tests/fuzz/board.h"

static const FuzzMachineKind board_kinds[] = {
    {"--dry-run --memory 64M --console pl011 --disk @,format=raw,queues=2,discard=on,lock=off --rng --vsock auto,unix=%/vsock --net "
     "unix=%/wire --watchdog --pvpanic --vmgenid auto --vmclock --scratch --power-button both --fw-cfg name=opt/x,string=abc",
     GIC_V2, false},
    {"--dry-run --memory 64M --console virtio --disk @,format=raw,ro,lock=off --rng --vsock auto,unix=%/vsock --net unix=%/wire "
     "--transport mmio --power-button both",
     GIC_V3, false},
    {"--dry-run --memory 64M --console pl011 --disk @,format=raw,cow,iops=100,bps=1M --net "
     "user,restrict,forward=127.0.0.1:5300:53/udp --watchdog=reset --vmgenid auto --vmclock --scratch --power-button both "
     "--net unix=%/wire,mac=02:00:00:00:00:01,mtu=1400",
     GIC_V2, true},
    {"--dry-run --memory 64M --console virtio --disk @,format=raw,serial=x,block-size=4096 --rng --vsock auto,unix=%/vsock --net user "
     "--transport mmio --power-button both --pvpanic",
     GIC_V3, true},
};
