/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: prctl(2), PR_SET_PDEATHSIG: of the thread that made the process, which is a main thread. */
#include "vmm/helpers/helper-config.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

G_DEFINE_QUARK(eret_helper_error, helper_error)

/* To have become another user takes the death signal away: so that comes last. */
void helper_set_up(gpointer data) {
  const HelperSetUp *wanted = data;
  sigset_t none;

  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (wanted->prepare && !wanted->prepare(wanted->opaque))
    _exit(EXIT_FAILURE);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}
