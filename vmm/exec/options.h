/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `eret exec` is asked to do: the machine's options (those of `eret run`), its own, and the command. Every mistake
 * is reported at once.
 */
#pragma once

#include "vmm/config/config.h"
#include "vmm/exec/program.h"

/* One --copy-in or --copy-out. */
typedef struct {
  char *source, *destination; /* destination is never NULL */
} ExecCopy;

typedef struct {
  Config *config;                 /* the machine; has a kernel */
  char *modules;                  /* directory with modules.dep, or NULL: none known */
  GPtrArray *module;              /* of char *: names of modules that the command wants */
  char *busybox;                  /* file, or NULL: where it usually is */
  bool host;                      /* the root is this machine's own */
  GPtrArray *copy_in, *copy_out;  /* of ExecCopy */
  uint64_t copy_out_limit;        /* bytes */
  Program program;                /* what runs; a command of at least one word, unless boot_only, or an image has one */
  unsigned timeout, boot_timeout; /* seconds; 0: none */
  char *console_log, *result;     /* files, or NULL */
  bool verbose, quiet, fail_on_oops;
  bool boot_only; /* the user's own initrd: there is no command, and the run is good when the guest powers off */
} ExecOptions;

/*
 * ARGV is what follows `eret exec`. NULL with *HELP set: --help was among it. HELP is NULL for a case of a suite, which
 * has no --help, and where what is missing is a key.
 */
ExecOptions *exec_options_parse(int argc, char **argv, bool *help, GError **error);
void exec_options_free(ExecOptions *options); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExecOptions, exec_options_free)

/* Completes what runs by what the image says. False: nothing is left to run. */
bool exec_take_image(ExecOptions *options, const ImageConfig *image, GError **error);

/* Those that `eret run` does not have; the record is an ExecOptions. */
extern const Option exec_options[];
extern const OptionSet exec_option_set;
