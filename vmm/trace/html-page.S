/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's own files become data of the program. The script's parts run in the order in which they stand here. The
 * Makefile knows that page/ is read.
 */

.macro begin name
        .balign 8
        .globl \name
        .type \name, %object
\name:
.endm

.macro end name
.L\name\()_end:
        .size \name, .L\name\()_end - \name
        .balign 8
        .globl \name\()_size
        .type \name\()_size, %object
        .size \name\()_size, 8
\name\()_size:
        .quad .L\name\()_end - \name
.endm

        .section .rodata
begin html_page_skeleton
        .incbin "vmm/trace/page/page.html"
end html_page_skeleton

begin html_page_style
        .incbin "vmm/trace/page/page.css"
end html_page_style

begin html_page_script
        .incbin "vmm/trace/page/format.js"
        .incbin "vmm/trace/page/data.js"
        .incbin "vmm/trace/page/track.js"
        .incbin "vmm/trace/page/device-track.js"
        .incbin "vmm/trace/page/devices.js"
        .incbin "vmm/trace/page/header.js"
        .incbin "vmm/trace/page/waterfall.js"
        .incbin "vmm/trace/page/detail.js"
        .incbin "vmm/trace/page/classes.js"
        .incbin "vmm/trace/page/histogram.js"
        .incbin "vmm/trace/page/paint.js"
        .incbin "vmm/trace/page/timeline.js"
        .incbin "vmm/trace/page/main.js"
end html_page_script

#include "vmm/lazy/notes.inc"
