/* SPDX-License-Identifier: Apache-2.0 */
/* Where network block devices are: what is understood, and why what is not. */
#include "vmm/helpers/nbd-uri.h"

static void test_good(void) {
  static const struct {
    const char *uri, *host, *port, *socket, *export_name;
  } cases[] = {
      {"nbd://example.com", "example.com", "10809", NULL, ""},
      {"nbd://example.com/", "example.com", "10809", NULL, ""},
      {"nbd://127.0.0.1:10810/disk", "127.0.0.1", "10810", NULL, "disk"},
      {"nbd://[::1]:1/a/b", "::1", "1", NULL, "a/b"},
      {"nbd://h//a", "h", "10809", NULL, "/a"},
      {"nbd://h/a%2cb%20%25c", "h", "10809", NULL, "a,b %c"},
      {"NBD://h/x", "h", "10809", NULL, "x"},
      {"nbd+unix:///?socket=/run/nbd.sock", NULL, NULL, "/run/nbd.sock", ""},
      {"nbd+unix:///disk?socket=/nbd.sock", NULL, NULL, "/nbd.sock", "disk"},
      {"nbd+unix:///disk?socket=/a%20%26%3d%3fb", NULL, NULL, "/a &=?b", "disk"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    const char *why;
    g_autoptr(NbdAddress) address = nbd_uri_parse(cases[i].uri, &why);
    g_test_message("%s", cases[i].uri);
    g_assert_nonnull(address);
    g_assert_cmpstr(address->host, ==, cases[i].host);
    g_assert_cmpstr(address->port, ==, cases[i].port);
    g_assert_cmpstr(address->socket, ==, cases[i].socket);
    g_assert_cmpstr(address->export_name, ==, cases[i].export_name);
  }
}

static void test_bad(void) {
  static const struct {
    const char *uri, *why;
  } cases[] = {
      {"", "*is no URI*"},
      {"disk.img", "*is no URI*"},
      {"nbd://h:65536", "*is no URI*"},
      {"nbd://h/%zz", "*is no URI*"},
      {"http://example.com/", "it begins with*"},
      {"nbds://example.com/", "*TLS*"},
      {"nbds+unix:///?socket=/s", "*TLS*"},
      {"nbd+vsock://2/", "*vsock*"},
      {"nbd:///disk", "a server is a host*"},
      {"nbd:disk", "a server is a host*"},
      {"nbd://h:0/", "a server is a host*"},
      {"nbd://h/?socket=/s", "*no ?parameters"},
      {"nbd://me@h/", "nobody logs in*"},
      {"nbd://me:secret@h/", "nobody logs in*"},
      {"nbd://h/x#y", "nobody logs in*"},
      {"nbd+unix:///disk", "a local server*"},
      {"nbd+unix://h/disk?socket=/s", "a local server*"},
      {"nbd+unix:///disk?socket=", "a local server*"},
      {"nbd+unix:///disk?socket=/s&tls=on", "a local server*"},
      {"nbd+unix:///disk?socket=nbd.sock", "the path of its socket begins with a slash"},
      {"nbd+unix:///disk?socket=%zz", "*is no URI*"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    const char *why = NULL;
    g_test_message("%s", cases[i].uri);
    g_assert_null(nbd_uri_parse(cases[i].uri, &why));
    g_assert_true(g_pattern_match_simple(cases[i].why, why));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/nbd-uri/good", test_good);
  g_test_add_func("/nbd-uri/bad", test_bad);
  return g_test_run();
}
