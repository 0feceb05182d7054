/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's init (guest-images/init/, built before this) becomes data of the program. */

        .section .rodata
        .balign 8
        .globl init_image
        .type init_image, %object
init_image:
        .incbin ERET_INIT
.Lend:
        .size init_image, .Lend - init_image
        .balign 8
        .globl init_image_size
        .type init_image_size, %object
        .size init_image_size, 8
init_image_size:
        .quad .Lend - init_image

#include "vmm/lazy/notes.inc"
