#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# libtracefs 1.8.1 (Debian 13, libtracefs1 1.8.1-1, with libtraceevent1 1:1.8.4-2) on a kernel whose trace buffers can
# be mapped (Linux 6.10 and later): tracefs_iterate_raw_events, called again and again while events come, never hands on
# a few of them. The kernel says that none was lost.
#
# Expected: each event once, by one call or another: a call that finds no more leaves what comes later to the next.
# Seen: some events in a million are left out. The call maps the buffers of all CPUs, and unmaps them at its end.
#   When it finds nothing behind the last event of a page it asks the kernel for the next page
#   (TRACE_MMAP_IOCTL_GET_READER), which counts all that is on the page as read; an event that came in between is on a
#   page that the next call believes to have been read. With 1.6.4 (Debian 12), which reads and does not map, none is
#   missing.
# Met by: a recorder that looks into the buffers ten times a second, whose count of KVM's exits was one or two lower
#   than that of the kernel's own histogram.
#
# Usage: libtracefs-iterate-raw-events-loses-events.sh     needs root, tracefs, apt and gcc on Debian 12 (amd64) with
# libtracefs-dev, nothing installed; exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"
mkdir -p lists/partial archives/partial sources
debian_sources trixie > sources/debian.sources
cat > apt.conf << END
Dir::State::lists "$here/lists";
Dir::Cache::archives "$here/archives";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$here/sources";
END
export APT_CONFIG="$here/apt.conf"
apt-get -q -q update > messages 2>&1
apt-get -q -q download libtracefs1=1.8.1-1 libtraceevent1=1:1.8.4-2 libc6 >> messages 2>&1 || { cat messages; exit 2; }
for package in *.deb; do dpkg-deb -x "$package" new; done
unset APT_CONFIG
[ -e /sys/kernel/tracing/trace ] || mount -t tracefs nodev /sys/kernel/tracing

cat > marks.c << 'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

static struct tracefs_instance *instance;
static volatile int over;
static long seen;

static void *write_marks(void *count) {
  for (long i = 0; i < (long)count; i++) {
    tracefs_instance_file_write(instance, "trace_marker", "mark");
    if (i % 64 == 0)
      usleep(1);
  }
  over = 1;
  return NULL;
}

static int take(struct tep_event *event, struct tep_record *record, int cpu, void *context) {
  seen += strcmp(event->name, "print") == 0;
  return 0;
}

static long lost(int cpu, const char *what) {
  char file[64];
  snprintf(file, sizeof file, "per_cpu/cpu%d/stats", cpu);
  char *text = tracefs_instance_file_read(instance, file, NULL), *at = text ? strstr(text, what) : NULL;
  long n = at ? atol(at + strlen(what)) : 0;
  free(text);
  return n;
}

int main(int argc, char **argv) {
  const char *systems[] = {"ftrace", NULL};
  long count = atol(argv[1]), n_lost = 0;
  char name[32];
  pthread_t thread;

  snprintf(name, sizeof name, "marks-%d", getpid());
  instance = tracefs_instance_create(name);
  struct tep_handle *tep = tracefs_local_events_system(tracefs_tracing_dir(), systems);
  if (!instance || !tep || tracefs_instance_set_buffer_size(instance, 65536, -1) < 0)
    return 2;
  pthread_create(&thread, NULL, write_marks, (void *)count);
  while (!over)
    tracefs_iterate_raw_events(tep, instance, NULL, 0, take, NULL);
  pthread_join(thread, NULL);
  for (int i = 0; i < 10; i++)
    tracefs_iterate_raw_events(tep, instance, NULL, 0, take, NULL);
  for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
    n_lost += lost(cpu, "overrun: ") + lost(cpu, "dropped events: ");
  tracefs_instance_destroy(instance);
  printf("%ld written, %ld missing, %ld lost by the kernel\n", count, count - seen - n_lost, n_lost);
  return 0;
}
END
# shellcheck disable=SC2046  # words
gcc -o marks marks.c $(pkg-config --cflags --libs libtracefs) -pthread
libraries=$here/new/usr/lib/x86_64-linux-gnu

echo "libtracefs $(dpkg-query -W -f '${Version}' libtracefs1:amd64), here:"
./marks 2000000 | tee old
echo "libtracefs 1.8.1-1:"
"$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./marks 2000000 | tee new.txt
grep -q ' 0 missing, 0 lost' old
grep -q ' [1-9][0-9]* missing, 0 lost' new.txt
