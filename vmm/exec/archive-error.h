/* SPDX-License-Identifier: Apache-2.0 */
/* What libarchive says went wrong, in words. */
#pragma once

#include <archive.h>

static inline const char *archive_reason(struct archive *archive) {
  const char *reason = archive_error_string(archive);
  return reason ? reason : "not known why";
}
