/* SPDX-License-Identifier: Apache-2.0 */
/* Two who meet at a socket: devices/backend/unix-meeting.c. */
#include "devices/backend/unix-meeting.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *directory, *path;
  UnixMeeting *meeting;
} Place;

static Place place_new(void) {
  Place place = {.directory = g_dir_make_tmp("eret-test-XXXXXX", NULL)};

  place.path = g_build_filename(place.directory, "socket", NULL);
  place.meeting = unix_meeting_new(place.path, NULL);
  return place;
}

static void place_free(Place *place) {
  g_unlink(place->path);
  g_assert_cmpint(g_rmdir(place->directory), ==, 0); /* nothing else was left there */
  unix_meeting_free(place->meeting);
  g_free(place->directory);
  g_free(place->path);
}

static int join(const Place *place, bool *listening) {
  g_autoptr(GError) error = NULL;
  int fd;

  g_assert_true(unix_meeting_join(place->meeting, &fd, listening, &error));
  g_assert_no_error(error);
  return fd;
}

static void test_meet(void) {
  Place place = place_new();
  bool first_listens, second_listens;
  int first = join(&place, &first_listens), second = join(&place, &second_listens);
  char byte;

  g_assert_true(first_listens);
  g_assert_false(second_listens);
  int accepted = unix_meeting_accept(first);
  g_assert_cmpint(accepted, >=, 0);
  g_assert_cmpint(unix_meeting_accept(first), ==, -1);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_true(fcntl(i ? accepted : second, F_GETFL) & O_NONBLOCK);
    g_assert_true(fcntl(i ? accepted : second, F_GETFD) & FD_CLOEXEC);
  }
  g_assert_cmpint(write(second, "x", 1), ==, 1);
  g_assert_cmpint(read(accepted, &byte, 1), ==, 1);
  unix_meeting_leave(place.meeting, first);
  g_assert_false(g_file_test(place.path, G_FILE_TEST_EXISTS));
  close(second);
  close(accepted);
  place_free(&place);
}

/* A socket whose listener died makes way. */
static void test_stale(void) {
  Place place = place_new();
  bool listening;

  close(join(&place, &listening));
  g_assert_true(g_file_test(place.path, G_FILE_TEST_EXISTS));
  int fd = join(&place, &listening);
  g_assert_true(listening);
  unix_meeting_leave(place.meeting, fd);
  place_free(&place);
}

/* What is no socket stays. */
static void test_in_the_way(void) {
  Place place = place_new();
  g_autoptr(GError) error = NULL;
  bool listening;
  int fd;

  g_assert_true(g_file_set_contents(place.path, "mine", 4, NULL));
  g_assert_false(unix_meeting_join(place.meeting, &fd, &listening, &error));
  g_assert_cmpint(fd, ==, -1);
  g_assert_nonnull(strstr(error->message, place.path));
  g_assert_true(g_file_test(place.path, G_FILE_TEST_IS_REGULAR));
  g_clear_error(&error);
  g_autofree char *nowhere = g_build_filename(place.directory, "not", "there", NULL);
  g_assert_null(unix_meeting_new(nowhere, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_clear_error(&error);
  g_autofree char *filler = g_strnfill(150, 'x'), *too_long = g_build_filename(place.directory, filler, NULL);
  UnixMeeting *meeting = unix_meeting_new(too_long, NULL);
  g_assert_false(unix_meeting_join(meeting, &fd, &listening, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG);
  unix_meeting_free(meeting);
  place_free(&place);
}

typedef struct {
  const Place *place;
  int fd;
  bool listening;
} Comer;

static void *come(void *opaque) {
  Comer *comer = opaque;

  comer->fd = join(comer->place, &comer->listening);
  return NULL;
}

/* Both at the same moment, over a dead socket: exactly one listens, and the other is connected to it. */
static void test_race(void) {
  for (unsigned i = 0; i < 200; i++) {
    Place place = place_new();
    Comer comers[2] = {{&place, -1, false}, {&place, -1, false}};
    GThread *threads[2];
    bool listening;

    if (i % 2)
      close(join(&place, &listening));
    for (unsigned j = 0; j < 2; j++)
      threads[j] = g_thread_new("comer", come, &comers[j]);
    for (unsigned j = 0; j < 2; j++)
      g_thread_join(threads[j]);
    g_assert_cmpint(comers[0].listening + comers[1].listening, ==, 1);
    int accepted = unix_meeting_accept(comers[comers[1].listening].fd);
    g_assert_cmpint(accepted, >=, 0);
    close(accepted);
    for (unsigned j = 0; j < 2; j++)
      close(comers[j].fd);
    place_free(&place);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/unix-meeting/meet", test_meet);
  g_test_add_func("/unix-meeting/stale", test_stale);
  g_test_add_func("/unix-meeting/in-the-way", test_in_the_way);
  g_test_add_func("/unix-meeting/race", test_race);
  return g_test_run();
}
