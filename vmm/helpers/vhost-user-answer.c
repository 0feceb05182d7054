/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/helpers/vhost-user-answer.h"

#include "devices/vhost/user-message.h"

bool vhost_user_answers(HelperProcess *process, const char *name, int fd, GError **error) {
  const VhostUserChannel channel = {.fd = fd, .peer = name};
  VhostUserMessage message = {.request = VHOST_USER_GET_FEATURES, .flags = VHOST_USER_VERSION};
  gint64 deadline = g_get_monotonic_time() + HELPER_READY_MS * G_GINT64_CONSTANT(1000);

  /* Whether it can be sent is no matter: one that has ended has said why. */
  vhost_user_send(&channel, &message, NULL, 0, deadline, NULL);
  return helper_process_wait(process, fd, HELPER_READY_MS, error) && vhost_user_receive(&channel, &message, deadline, error);
}
