/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the page that are the same for all recordings, as html-page.S has them from page/. Not ended by NUL. */
#pragma once

#include <stdint.h>

extern const char html_page_skeleton[], html_page_style[], html_page_script[];
extern const uint64_t html_page_skeleton_size, html_page_style_size, html_page_script_size;
