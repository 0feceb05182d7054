/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ThreadSanitizer is told of GLib's locks, conditions and reference counts. GLib itself is not compiled with it,
 * and makes these of futexes and atomic operations in its own code: without this, all that eret has under a lock would
 * look like a race. Each function stands before GLib's (the linker's --wrap, in our objects alone), and says what that
 * does. What the library hands from thread to thread by system calls and pthreads (eventfds, threads' begin and end)
 * the runtime sees by itself. sanitizer/tsan_interface.h has the interface.
 */
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define WRAPS(TYPE, NAME, ...)                                                                                                             \
  TYPE __real_##NAME(__VA_ARGS__);                                                                                                         \
  TYPE __wrap_##NAME(__VA_ARGS__);                                                                                                         \
  TYPE __wrap_##NAME(__VA_ARGS__)

WRAPS(void, g_mutex_init, GMutex *mutex) {
  __real_g_mutex_init(mutex);
  __tsan_mutex_create(mutex, 0);
}

WRAPS(void, g_mutex_clear, GMutex *mutex) {
  __tsan_mutex_destroy(mutex, 0);
  __real_g_mutex_clear(mutex);
}

WRAPS(void, g_mutex_lock, GMutex *mutex) {
  __tsan_mutex_pre_lock(mutex, 0);
  __real_g_mutex_lock(mutex);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

WRAPS(gboolean, g_mutex_trylock, GMutex *mutex) {
  __tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);
  gboolean locked = __real_g_mutex_trylock(mutex);
  __tsan_mutex_post_lock(mutex, locked ? __tsan_mutex_try_lock : __tsan_mutex_try_lock | __tsan_mutex_try_lock_failed, 0);
  return locked;
}

WRAPS(void, g_mutex_unlock, GMutex *mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __real_g_mutex_unlock(mutex);
  __tsan_mutex_post_unlock(mutex, 0);
}

/* A wait gives the lock back, and takes it again. */

WRAPS(void, g_cond_wait, GCond *condition, GMutex *mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __real_g_cond_wait(condition, mutex);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

WRAPS(gboolean, g_cond_wait_until, GCond *condition, GMutex *mutex, gint64 end) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  gboolean signalled = __real_g_cond_wait_until(condition, mutex, end);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return signalled;
}

/* Who has the last reference may free what all others have done with theirs. */
WRAPS(gboolean, g_atomic_ref_count_dec, gatomicrefcount *count) {
  __tsan_release(count);
  gboolean last = __real_g_atomic_ref_count_dec(count);
  if (last)
    __tsan_acquire(count);
  return last;
}
