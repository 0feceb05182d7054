/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk as qemu-storage-daemon is told of it: which files it is made of, and what is done with them. Every file is
 * named here, as is that nothing is behind the last one, so what an image says of other files counts for nothing.
 * QEMU: qapi/block-core.json, BlockdevOptions.
 *
 * No lock: pure functions.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/helpers/nbd-uri.h"
#include "vmm/helpers/storage-file.h"

typedef struct {
  GPtrArray *files; /* of StorageFile: what the guest sees, and what each in turn is backed by */
  NbdAddress *nbd;  /* what the first is on; NULL: a file */
  bool read_only;   /* nobody writes */
  bool cow;         /* the first is not written, but an overlay: the daemon's descriptor HELPER_FILE */
  bool direct;      /* past the host's page cache */
  bool discard;     /* what the guest has no use for is given back */
  bool unlocked;    /* others may use the files at the same time */

  /* Of what is made of it: see storage_daemon_arguments. */
  unsigned queues;     /* 0: one */
  unsigned block_size; /* bytes; 0: a sector */
  unsigned iops;       /* requests a second; 0: any number */
  uint64_t bps;        /* bytes a second; 0: any number */
} StorageGraph;

/* Nodes by their names; at most 31 bytes. */
#define STORAGE_DISK    "disk"
#define STORAGE_LOOK    "look"
#define STORAGE_OVERLAY "overlay"
#define STORAGE_LIMITED "limited"

StorageGraph *storage_graph_new(void);
void storage_graph_free(StorageGraph *graph); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageGraph, storage_graph_free)
void storage_graph_add(StorageGraph *graph, StorageFile *take_file);
/* Number INDEX of its files. */
static inline StorageFile *storage_graph_file(const StorageGraph *graph, unsigned index) {
  return (StorageFile *)g_ptr_array_index(graph->files, index);
}

/* The arguments of blockdev-add, free with json_node_unref: the whole, as STORAGE_DISK. */
JsonNode *storage_graph_disk(const StorageGraph *graph);
/* File INDEX alone, to be looked at, as STORAGE_LOOK. */
JsonNode *storage_graph_look(const StorageGraph *graph, unsigned index);
/* The file that an overlay is to be made in, as STORAGE_OVERLAY. */
JsonNode *storage_graph_overlay(void);
/* Of a disk with limits: of object-add, what they are; and of blockdev-add, STORAGE_DISK with them, STORAGE_LIMITED. */
JsonNode *storage_graph_limits(const StorageGraph *graph);
JsonNode *storage_graph_limited(void);
