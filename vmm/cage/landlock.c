/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers are the kernel's (linux/landlock.h); later ones than this machine's headers may have. */
#include "vmm/cage/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VERSION_FLAG      1 /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_PATH_BENEATH 1 /* LANDLOCK_RULE_PATH_BENEATH */

/* LANDLOCK_ACCESS_FS_*: */
#define FS_EXECUTE     (UINT64_C(1) << 0)
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_READ_FILE   (UINT64_C(1) << 2)
#define FS_READ_DIR    (UINT64_C(1) << 3)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR   (UINT64_C(1) << 6)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_SOCK   (UINT64_C(1) << 9)
#define FS_MAKE_FIFO   (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK  (UINT64_C(1) << 11)
#define FS_MAKE_SYM    (UINT64_C(1) << 12)
#define FS_REFER       (UINT64_C(1) << 13)
#define FS_TRUNCATE    (UINT64_C(1) << 14)
#define FS_IOCTL_DEV   (UINT64_C(1) << 15)

#define IN_DIRECTORIES                                                                                                                     \
  (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_SYM |  \
   FS_REFER | FS_TRUNCATE)
#define OF_DEVICES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

typedef struct {
  uint64_t fs;     /* what is refused where no rule allows it */
  uint64_t net;    /* version 4: bind and connect of TCP */
  uint64_t scoped; /* version 6: abstract sockets, and signals */
} Ruleset;

/* packed in the kernel's header */
typedef struct {
  uint64_t allowed;
  int32_t parent;
} __attribute__((packed)) PathBeneath;

/* By version, what is new in it. */
static Ruleset all_of(unsigned version, size_t *size) {
  Ruleset rules = {.fs = FS_REFER - 1};

  *size = sizeof rules.fs;
  if (version >= 2)
    rules.fs |= FS_REFER;
  if (version >= 3)
    rules.fs |= FS_TRUNCATE;
  if (version >= 4) {
    rules.net = 3;
    *size = sizeof rules.fs + sizeof rules.net;
  }
  if (version >= 5)
    rules.fs |= FS_IOCTL_DEV;
  if (version >= 6) {
    rules.scoped = 3;
    *size = sizeof rules;
  }
  return rules;
}

unsigned landlock_version(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);

  return version > 0 ? (unsigned)version : 0;
}

static bool add_places(int ruleset, const Ruleset *all, const Places *places) {
  for (unsigned i = 0; i < places->n; i++) {
    const Place *place = &places->places[i];
    const PathBeneath rule = {.allowed = (place->is_directory ? IN_DIRECTORIES : OF_DEVICES) & all->fs, .parent = place->fd};

    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
      return false;
  }
  return true;
}

bool landlock_enter(const Places *places) {
  unsigned version = landlock_version();
  size_t size;
  const Ruleset all = all_of(version, &size);

  if (version == 0)
    return false;
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
  if (ruleset < 0)
    return false;
  bool entered = add_places(ruleset, &all, places) && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  int code = errno;
  close(ruleset);
  errno = code;
  return entered;
}
