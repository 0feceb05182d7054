/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's EFI runtime services (guest-images/efi/, built before this) become data of the program. */

        .section .rodata
        .balign 8
        .globl efi_runtime_image
        .type efi_runtime_image, %object
efi_runtime_image:
        .incbin ERET_EFI_RUNTIME
.Lend:
        .size efi_runtime_image, .Lend - efi_runtime_image
        .balign 8
        .globl efi_runtime_image_size
        .type efi_runtime_image_size, %object
        .size efi_runtime_image_size, 8
efi_runtime_image_size:
        .quad .Lend - efi_runtime_image

#include "vmm/lazy/notes.inc"
