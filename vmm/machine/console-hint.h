/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio console that no driver takes shows nothing, and nobody is told why: a kernel may have the driver as a module
 * that its initrd lacks. After a while the user is told what to try. Main thread, by its main loop; no lock.
 */
#pragma once

#include "devices/virtio/virtio.h"

#define CONSOLE_HINT_MS 20000 /* longer than kernels take to their drivers, on slow hosts too */

typedef struct ConsoleHint ConsoleHint;

/* Once, MS from now, a message unless CONSOLE, which must outlive the hint, has a driver then. */
ConsoleHint *console_hint_new(const VirtioDevice *console, unsigned ms);
void console_hint_free(ConsoleHint *hint); /* takes NULL */
