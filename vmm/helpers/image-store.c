/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image is copied and unpacked beside its place, and gets its name when that is done and written (syncfs(2)). Who
 * wants the same one meanwhile waits for the lock (flock(2)), which the kernel takes back from whoever ends; what such
 * a one has left is found by its name, without a lock on it, and removed.
 */
#define _GNU_SOURCE /* syncfs */
#include "vmm/helpers/image-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/remove-tree.h"

#define DIRECTORY_MODE 0700 /* programs of an image's may be set-user-ID, and of root's store they are root's */
#define NEW            ".new"
#define LOCK           ".lock"
#define NAME           "name" /* the file that says what the image was called */

typedef struct {
  char *directory; /* of the store */
  char *place;     /* of the image, in it */
} Store;

static void store_clear(Store *store) {
  g_free(store->directory);
  g_free(store->place);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Store, store_clear)

static bool refuse(GError **error, const char *what, const char *path, int reason) {
  g_set_error(error, IMAGE_ERROR, IMAGE_ERROR_STORE, "cannot %s '%s': %s; another place for caches is named by XDG_CACHE_HOME", what, path,
              g_strerror(reason));
  return false;
}

/* The store. */

static bool open_directory(Store *store, GError **error) {
  struct stat status;

  store->directory = g_build_filename(g_get_user_cache_dir(), "eret", "images", NULL);
  if (g_mkdir_with_parents(store->directory, DIRECTORY_MODE) < 0)
    return refuse(error, "make", store->directory, errno);
  if (stat(store->directory, &status) < 0)
    return refuse(error, "look at", store->directory, errno);
  if (status.st_uid != geteuid()) {
    g_set_error(error, IMAGE_ERROR, IMAGE_ERROR_STORE, "'%s' is another user's: name a place for this one's caches by XDG_CACHE_HOME",
                store->directory);
    return false;
  }
  if ((status.st_mode & 0777) != DIRECTORY_MODE && chmod(store->directory, DIRECTORY_MODE) < 0)
    return refuse(error, "protect", store->directory, errno);
  if (!strchr(store->directory, ':'))
    return true;
  g_set_error(error, IMAGE_ERROR, IMAGE_ERROR_STORE,
              "'%s' has a colon in its path, which skopeo and umoci take for another: name a place "
              "without one by XDG_CACHE_HOME",
              store->directory);
  return false;
}

static void find_place(Store *store, const char *config, gsize size) {
  g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)config, size);

  store->place = g_strdup_printf("%s/sha256-%s-%u", store->directory, digest, (unsigned)geteuid());
}

/* Whole: somebody may have begun to remove it. */
static bool is_there(const Store *store) {
  g_autofree char *root = g_build_filename(store->place, "rootfs", NULL), *name = g_build_filename(store->place, NAME, NULL);
  struct stat status;

  return lstat(root, &status) == 0 && S_ISDIR(status.st_mode) && lstat(name, &status) == 0 && S_ISREG(status.st_mode);
}

/* Locks. */

/* A descriptor, whose end is the lock's. WAIT: for however long somebody else has it. -1: errno says why not. */
static int lock(const char *place, bool wait) {
  g_autofree char *path = g_strconcat(place, LOCK, NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  while (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
    int reason = errno;
    if (reason == EINTR)
      continue;
    close(fd);
    errno = reason;
    return -1;
  }
  return fd;
}

static int lock_or_wait(const Store *store, const ImageTools *tools, GError **error) {
  int fd = lock(store->place, false);

  if (fd < 0 && errno == EWOULDBLOCK) {
    if (tools->waiting)
      tools->waiting(tools->name->text, "another eret unpacks it", 0);
    fd = lock(store->place, true);
    if (tools->waiting)
      tools->waiting(tools->name->text, NULL, 0);
  }
  if (fd < 0)
    refuse(error, "lock", store->place, errno);
  return fd;
}

/* What others have left who were ended. It is not this one's failure if it stays. */
static void remove_leftovers(const Store *store) {
  g_autoptr(GDir) directory = g_dir_open(store->directory, 0, NULL);

  for (const char *name; directory && (name = g_dir_read_name(directory));) {
    if (!g_str_has_suffix(name, NEW))
      continue;
    g_autofree char *path = g_build_filename(store->directory, name, NULL);
    g_autofree char *place = g_strndup(path, strlen(path) - strlen(NEW));
    int fd = strcmp(place, store->place) == 0 ? -1 : lock(place, false);
    if (fd < 0)
      continue;
    remove_tree(path, NULL);
    close(fd);
  }
}

/* An image. */

static bool write_name(const ImageTools *tools, const char *directory, GError **error) {
  g_autofree char *path = g_build_filename(directory, NAME, NULL), *line = g_strconcat(tools->name->text, "\n", NULL);

  return g_file_set_contents(path, line, -1, error);
}

/* One that has less than its configuration says would be taken for the whole one ever after: that is its place. */
static bool check_layers(const ImageTools *tools, const char *layout, const ImageConfig *config, GError **error) {
  gsize size;
  g_autofree char *json = image_tools_inspect_manifest(tools, layout, &size, error);

  return json && image_manifest_has_layers(json, size, config, error);
}

/* An archive may have become another one since it was looked at. */
static bool check_copy(const ImageTools *tools, const char *layout, const ImageConfig *config, GError **error) {
  gsize size;
  g_autofree char *json = image_tools_inspect_layout(tools, layout, &size, error);
  g_autoptr(ImageConfig) copied = json ? image_config_parse(json, size, error) : NULL;

  if (!copied || strcmp(copied->layers, config->layers) == 0)
    return copied && check_layers(tools, layout, config, error);
  g_set_error_literal(error, IMAGE_ERROR, IMAGE_ERROR_STORE, "it has changed while it was copied: try again");
  return false;
}

/* The name of a directory lasts when that above it is written. */
static bool give_name(const Store *store, const char *made, GError **error) {
  int fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool named = fd >= 0 && syncfs(fd) == 0 && rename(made, store->place) == 0 && fsync(fd) == 0;
  int reason = errno;

  if (fd >= 0)
    close(fd);
  return named || refuse(error, "make", store->place, reason);
}

/* In the directory BESIDE, which is new. */
static bool unpack(const Store *store, const ImageTools *tools, const ImageConfig *config, const char *beside, GError **error) {
  g_autofree char *layout = g_build_filename(beside, "layout", NULL), *made = g_build_filename(beside, "image", NULL);
  g_autofree char *root = g_build_filename(made, "rootfs", NULL);

  if (mkdir(beside, DIRECTORY_MODE) < 0 || mkdir(made, DIRECTORY_MODE) < 0)
    return refuse(error, "make", made, errno);
  return image_tools_copy(tools, layout, error) && check_copy(tools, layout, config, error) &&
         image_tools_unpack(tools, layout, root, error) && write_name(tools, made, error) && give_name(store, made, error);
}

static bool make(const Store *store, const ImageTools *tools, const ImageConfig *config, GError **error) {
  g_autofree char *beside = g_strconcat(store->place, NEW, NULL);
  int fd = lock_or_wait(store, tools, error);

  if (fd < 0)
    return false;
  remove_leftovers(store);
  bool made =
      is_there(store) || (remove_tree(store->place, error) && remove_tree(beside, error) && unpack(store, tools, config, beside, error));
  remove_tree(beside, NULL);
  close(fd);
  return made;
}

Image *image_store_take(const ImageTools *tools, GError **error) {
  g_auto(Store) store = {0};
  g_autoptr(Image) image = g_new0(Image, 1);
  gsize size;

  if (!image_tools_are_there(error) || !open_directory(&store, error))
    return NULL;
  g_autofree char *json = image_tools_inspect(tools, &size, error);
  image->config = json ? image_config_parse(json, size, error) : NULL;
  if (!image->config)
    return NULL;
  find_place(&store, json, size);
  image->root = g_build_filename(store.place, "rootfs", NULL);
  return is_there(&store) || make(&store, tools, image->config, error) ? g_steal_pointer(&image) : NULL;
}

void image_free(Image *image) {
  if (!image)
    return;
  g_free(image->root);
  image_config_free(image->config);
  g_free(image);
}
