/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way in for JSON that comes from outside (RFC 8259, and I-JSON, RFC 7493, where that is stricter): one
 * document of valid UTF-8, standard numbers and escapes, no key twice in an object, no NUL, no half characters; no
 * larger and no deeper than the caller says. What is read is a tree of json-glib's nodes, and the line in which each of
 * them begins.
 *
 * No lock: pure functions.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *what;   /* such a file is: "description", for messages */
  size_t size_max;    /* bytes, whole MiB; and a value for each 8 of them, as which an array or object counts four times */
  unsigned depth_max; /* of arrays and objects within one another; the reader is recursive */
} JsonLimits;

typedef struct JsonDocument JsonDocument;

typedef enum {
  JSON_DOCUMENT_ERROR_FILE,    /* it cannot be read: the message is the reason */
  JSON_DOCUMENT_ERROR_EMPTY,   /* there is nothing in it */
  JSON_DOCUMENT_ERROR_INVALID, /* the message begins with LINE:COLUMN, and has the key's path where there is one */
} JsonDocumentError;
#define JSON_DOCUMENT_ERROR (json_document_error_quark())
GQuark json_document_error_quark(void);

JsonDocument *json_document_read(const char *path, const JsonLimits *limits, GError **error);
JsonDocument *json_document_parse(const char *text, size_t size, const JsonLimits *limits, GError **error);
void json_document_free(JsonDocument *document); /* takes NULL; with all nodes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonDocument, json_document_free)

/* Never NULL. Numbers without fraction and exponent are 64-bit integers, all others doubles. */
JsonNode *json_document_root(const JsonDocument *document);
/* From 1. Of a member: the line of its key. */
unsigned json_document_line(const JsonDocument *document, JsonNode *node);
