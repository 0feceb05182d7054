/* SPDX-License-Identifier: Apache-2.0 */
/* Talks with qemu-storage-daemon: what it says, and what it may say instead. */
#include "vmm/helpers/storage-talk.h"

#include "tests/unit/vmm/helpers/fake-storage-daemon.h"
#include "vmm/base/json-writer.h"

#define HELLO FAKE_GREETING "\nqmp_capabilities " FAKE_DONE "\n"

static StorageTalk *begin(const char *script, GError **error) {
  g_autoptr(StorageDaemon) daemon = storage_daemon_find(error);

  g_assert_nonnull(daemon);
  fake_script(script);
  return storage_talk_begin(daemon, false, 0, error);
}

static void test_answers(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(StorageTalk) talk = begin(HELLO "one {\"event\": \"X\"}|{\"event\": \"Y\", \"data\": {}}|{\"return\": {\"text\": \"a\", "
                                            "\"number\": 5, \"yes\": true, \"list\": [{\"text\": \"b\"}, 7]}}\n"
                                            "two {\"error\": {\"class\": \"GenericError\", \"desc\": \"No, thanks\"}}\n"
                                            "three {\"error\": {\"desc\": 3}}\n"
                                            "four {\"return\": []}\n"
                                            "five {\"error\": {\"desc\": \"No\\neret: \\u001b[2Jyes\"}}\n"
                                            "query-jobs {\"return\": [{\"error\": \"No\\nroom\"}]}\n",
                                      &error);

  g_assert_no_error(error);
  g_autoptr(JsonDocument) document = storage_talk_ask(talk, "one", NULL, &error);
  g_assert_no_error(error);
  JsonObject *said = storage_said_object(json_node_get_object(json_document_root(document)), "return");
  g_assert_cmpstr(storage_said_text(said, "text"), ==, "a");
  g_assert_null(storage_said_text(said, "number"));
  g_assert_null(storage_said_text(NULL, "text"));
  g_assert_cmpint(storage_said_number(said, "number"), ==, 5);
  g_assert_cmpint(storage_said_number(said, "text"), ==, 0);
  g_assert_true(storage_said_true(said, "yes"));
  g_assert_false(storage_said_true(said, "list"));
  g_assert_null(storage_said_object(said, "list"));
  g_assert_null(storage_said_list(said, "text"));
  g_assert_cmpstr(storage_said_text(storage_said_element(storage_said_list(said, "list"), 0), "text"), ==, "b");
  g_assert_null(storage_said_element(storage_said_list(said, "list"), 1));
  g_assert_null(storage_said_element(storage_said_list(said, "list"), 2));
  g_assert_false(storage_talk_do(talk, "two", NULL, &error));
  g_assert_true(g_error_matches(error, STORAGE_TALK_ERROR, STORAGE_TALK_ERROR_REFUSED));
  g_assert_cmpstr(error->message, ==, "No, thanks");
  g_clear_error(&error);
  g_assert_false(storage_talk_do(talk, "three", NULL, &error));
  g_assert_cmpstr(error->message, ==, "it does not say why");
  g_clear_error(&error);
  g_assert_true(storage_talk_do(talk, "four", NULL, &error));
  g_assert_no_error(error);
  g_assert_false(storage_talk_do(talk, "five", NULL, &error));
  g_assert_cmpstr(error->message, ==, "No\\u000aeret: \\u001b[2Jyes");
  g_clear_error(&error);
  g_assert_false(storage_talk_await_job(talk, "it", &error));
  g_assert_cmpstr(error->message, ==, "No\\u000aroom");
}

static void test_jobs(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(StorageTalk) talk = begin(HELLO "query-jobs {\"return\": [{\"status\": \"running\"}]}\n"
                                            "query-jobs {\"return\": [{\"status\": 3}]}\n"
                                            "query-jobs {\"return\": [{\"status\": \"concluded\"}]}\n"
                                            "job-dismiss " FAKE_DONE "\n"
                                            "query-jobs {\"return\": [{\"status\": \"concluded\", \"error\": \"No room\"}]}\n",
                                      &error);

  g_assert_no_error(error);
  g_assert_true(storage_talk_await_job(talk, "it", &error));
  g_assert_no_error(error);
  g_assert_false(storage_talk_await_job(talk, "it", &error));
  g_assert_cmpstr(error->message, ==, "No room");
}

/* What is wrong with the program itself: at its beginning, and in the midst. */
static void test_bad(FakeStorage *fake, gconstpointer data) {
  static const struct {
    const char *script, *message;
  } cases[] = {
      {"!exit error while loading shared libraries",
       "qemu-storage-daemon ended with exit status 3; its last words: error while loading shared libraries"},
      {"hello\n", "qemu-storage-daemon says what is no QMP"},
      {"[]\n", "qemu-storage-daemon says what is no QMP"},
      {"!flood\n", "qemu-storage-daemon says more than there can be to say of an image"},
      {FAKE_GREETING "\nqmp_capabilities {\"error\": {\"desc\": \"No\"}}\n", "No"},
      {HELLO "one !exit help\n", "qemu-storage-daemon ended with exit status 3; its last words: help"},
      {HELLO "one {\"return\": {}, \"return\": {}}\n", "qemu-storage-daemon says what is no QMP"},
      {HELLO "one !flood\n", "qemu-storage-daemon says more than there can be to say of an image"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageTalk) talk = begin(cases[i].script, &error);
    g_assert_false(talk && storage_talk_do(talk, "one", NULL, &error));
    g_assert_cmpstr(error->message, ==, cases[i].message);
  }
}

/* One that is not QEMU's any more: what it has said stands in its socket, and it hears nothing. */

#define HELLO_SAID FAKE_GREETING "\n" FAKE_DONE "\n"
#define SHORT_MS   300

static StorageTalk *begin_with(int *its, const char *said, GError **error) {
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  *its = pair[1];
  g_assert_cmpint(write(*its, said, strlen(said)), ==, (gssize)strlen(said));
  return storage_talk_begin_take_fd(pair[0], SHORT_MS, error);
}

/* Until nobody listens any more. */
static gpointer talk_on(gpointer data) {
  static const char event[] = "{\"event\": \"X\"}\n";

  while (send(GPOINTER_TO_INT(data), event, strlen(event), MSG_NOSIGNAL) > 0)
    ;
  return NULL;
}

static void test_endless(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  int its;
  g_autoptr(StorageTalk) talk = begin_with(&its, HELLO_SAID, &error);

  g_assert_no_error(error);
  GThread *thread = g_thread_new("talker", talk_on, GINT_TO_POINTER(its));
  g_assert_false(storage_talk_do(talk, "one", NULL, &error));
  g_assert_cmpstr(error->message, ==, "qemu-storage-daemon does not answer");
  storage_talk_end(g_steal_pointer(&talk));
  g_thread_join(thread);
  close(its);
}

/* What does not fit into the socket any more is not waited for longer than an answer. */
static void test_deaf(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *name = g_strnfill(1 << 20, 'x');
  int its;
  g_autoptr(StorageTalk) talk = begin_with(&its, HELLO_SAID FAKE_DONE "\n", &error);

  g_assert_no_error(error);
  g_assert_true(storage_talk_do(talk, "one", json_of_text("node-name", name), &error)); /* it was answered before */
  g_assert_false(storage_talk_do(talk, "two", json_of_text("node-name", name), &error));
  g_assert_cmpstr(error->message, ==, "qemu-storage-daemon does not answer");
  close(its);
}

static void test_closed(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  int its;
  g_autoptr(StorageTalk) talk = begin_with(&its, HELLO_SAID, &error);

  g_assert_no_error(error);
  close(its);
  g_assert_false(storage_talk_do(talk, "one", NULL, &error));
  g_assert_cmpstr(error->message, ==, "qemu-storage-daemon has closed its connection");
}

#define ADD(path, function) g_test_add("/storage-talk/" path, FakeStorage, NULL, fake_storage_set_up, function, fake_storage_tear_down)

int main(int argc, char **argv) {
  int status;

  if (fake_is_program(argc, argv, &status))
    return status;
  g_test_init(&argc, &argv, NULL);
  ADD("answers", test_answers);
  ADD("jobs", test_jobs);
  ADD("bad", test_bad);
  ADD("endless", test_endless);
  ADD("deaf", test_deaf);
  ADD("closed", test_closed);
  return g_test_run();
}
