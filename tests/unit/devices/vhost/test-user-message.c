/* SPDX-License-Identifier: Apache-2.0 */
/* Framing of vhost-user: devices/vhost/user-message.c. What a peer may get wrong is in test-vhost-user.c. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost/user-message.h"

typedef struct {
  VhostUserChannel here, there;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  int ends[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
  f->here = (VhostUserChannel){.fd = ends[0], .peer = "there"};
  f->there = (VhostUserChannel){.fd = ends[1], .peer = "here"};
}

static void tear_down(Fixture *f, gconstpointer data) {
  close(f->here.fd);
  if (f->there.fd >= 0)
    close(f->there.fd);
}

static gint64 soon(void) {
  return g_get_monotonic_time() + 100000;
}

static void test_both_ways(Fixture *f, gconstpointer data) {
  VhostUserMessage sent = {.request = VHOST_USER_SET_MEM_TABLE,
                           .flags = VHOST_USER_VERSION,
                           .size = sizeof sent.memory,
                           .memory = {.n_regions = 8, .regions[7] = {1, 2, 3, 4}}},
                   got;
  VhostUserMessage empty = {.request = VHOST_USER_SET_OWNER, .flags = VHOST_USER_VERSION};
  g_autoptr(GError) error = NULL;

  g_assert_true(vhost_user_send(&f->here, &sent, NULL, 0, soon(), &error));
  g_assert_true(vhost_user_send(&f->here, &empty, NULL, 0, soon(), &error));
  g_assert_true(vhost_user_receive(&f->there, &got, soon(), &error));
  g_assert_cmpmem(&got, sizeof got, &sent, sizeof sent);
  g_assert_true(vhost_user_receive(&f->there, &got, soon(), &error));
  g_assert_cmpuint(got.request, ==, VHOST_USER_SET_OWNER);
  g_assert_cmpuint(got.size, ==, 0);
  g_assert_no_error(error);
}

/* On the wire the payload is right behind the header, and descriptors come with the first byte. */
static void test_wire(Fixture *f, gconstpointer data) {
  static const uint8_t expected[] = {12, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0};
  VhostUserMessage sent = {.request = VHOST_USER_SET_VRING_KICK, .flags = VHOST_USER_VERSION, .size = 8, .number = 3};
  uint8_t bytes[64];
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(8 * sizeof(int))];
  } control;
  struct iovec iov = {bytes, sizeof bytes};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  int fd;

  g_assert_true(vhost_user_send(&f->here, &sent, &f->here.fd, 1, soon(), NULL));
  ssize_t got = recvmsg(f->there.fd, &header, MSG_CMSG_CLOEXEC);
  g_assert_cmpmem(bytes, (gsize)got, expected, sizeof expected);
  struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
  g_assert_nonnull(rights);
  g_assert_cmpuint(rights->cmsg_len, ==, CMSG_LEN(sizeof(int)));
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  close(fd);
}

/* One that never reads holds nobody for longer than was said. */
static void test_does_not_read(Fixture *f, gconstpointer data) {
  VhostUserMessage message = {.request = VHOST_USER_SET_CONFIG, .flags = VHOST_USER_VERSION, .size = sizeof message.config};
  g_autoptr(GError) error = NULL;
  gint64 end = soon();

  for (unsigned i = 0; i < 1000000 && vhost_user_send(&f->here, &message, NULL, 0, end, &error); i++)
    ;
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_SLOW);
  g_assert_cmpstr(error->message, ==, "there does not read");
  g_assert_cmpint(g_get_monotonic_time(), >=, end - 1000);
}

static void test_gone(Fixture *f, gconstpointer data) {
  VhostUserMessage message = {.request = VHOST_USER_SET_OWNER, .flags = VHOST_USER_VERSION};
  g_autoptr(GError) error = NULL;

  close(f->there.fd);
  f->there.fd = -1;
  g_assert_false(vhost_user_receive(&f->here, &message, soon(), &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE);
  g_clear_error(&error);
  g_assert_false(vhost_user_send(&f->here, &message, NULL, 0, soon(), &error)); /* and no SIGPIPE */
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE);
}

static void test_names(void) {
  g_assert_cmpstr(vhost_user_request_name(VHOST_USER_SET_OWNER), ==, "SET_OWNER");
  g_assert_cmpstr(vhost_user_request_name(4), ==, "a request");
  g_assert_cmpstr(vhost_user_request_name(UINT32_MAX), ==, "a request");
}

#define ADD(path, function) g_test_add("/user-message/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("both-ways", test_both_ways);
  ADD("wire", test_wire);
  ADD("does-not-read", test_does_not_read);
  ADD("gone", test_gone);
  g_test_add_func("/user-message/names", test_names);
  return g_test_run();
}
