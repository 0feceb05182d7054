/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a character stream: terminal, pipe, file. A device (the front end) hands it bytes and is handed
 * bytes; neither ever waits for the other, and nothing is dropped: a full buffer is refused and announced when there is
 * room.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CharBackend CharBackend;

/* The front end's callbacks: on the main thread, without locks. */
typedef struct {
  /*
   * How many bytes the front end can take now. When it was 0, the front end calls char_backend_accept() once there is
   * room.
   */
  size_t (*room)(void *opaque);
  /* Bytes for the guest, never more than room() said. */
  void (*receive)(void *opaque, const uint8_t *bytes, size_t size);
  /* After a short write: there is room again. */
  void (*writable)(void *opaque);
} CharFrontend;

typedef struct {
  /* Takes up to SIZE bytes and returns how many. Never blocks; any thread. */
  size_t (*write)(CharBackend *backend, const uint8_t *bytes, size_t size);
  /* The front end has room again. Any thread. */
  void (*accept)(CharBackend *backend);
  void (*free)(CharBackend *backend);
} CharBackendOps;

struct CharBackend {
  const CharBackendOps *ops;
  const CharFrontend *frontend; /* NULL until connected */
  void *opaque;
};

static inline void char_backend_connect(CharBackend *backend, const CharFrontend *frontend, void *opaque) {
  backend->frontend = frontend;
  backend->opaque = opaque;
}

static inline size_t char_backend_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  return backend->ops->write(backend, bytes, size);
}

static inline void char_backend_accept(CharBackend *backend) {
  backend->ops->accept(backend);
}

static inline void char_backend_free(CharBackend *backend) {
  if (backend)
    backend->ops->free(backend);
}
