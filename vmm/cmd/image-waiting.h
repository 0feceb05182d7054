/* SPDX-License-Identifier: Apache-2.0 */
/* Shows on a terminal what is waited for while an image is unpacked: an ImageWaiting. Nothing elsewhere. */
#pragma once

void image_waiting_show(const char *image, const char *what, unsigned seconds);
