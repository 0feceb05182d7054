/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `eret exec`: a table of its own, and that of the machine. The command follows behind "--". No lock:
 * pure data.
 */
#include "vmm/exec/options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/mistakes.h"
#include "vmm/boot/installed-kernel.h"
#include "vmm/exec/defaults.h"
#include "vmm/exec/destination.h"
#include "vmm/exec/modules.h"

#define BOOT_TIMEOUT_DEFAULT   120
#define TIMEOUT_MAX            (7u * 86400)
#define COPY_OUT_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define COPY_OUT_LIMIT_MIN     (UINT64_C(4) << 10)
#define COPY_OUT_LIMIT_MAX     (UINT64_C(1) << 50)

/* SRC[:DST]; without DST the last part of SRC, in PREFIX; with a slash at its end, in DST. */
static char *add_copy(GPtrArray *copies, const char *text, const char *prefix) {
  ExecCopy *copy = g_new0(ExecCopy, 1);
  const char *colon = strrchr(text, ':');

  copy->source = colon && colon[1] ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
  g_autofree char *name = g_path_get_basename(copy->source);
  if (!colon || !colon[1])
    copy->destination = g_strconcat(prefix, name, NULL);
  else
    copy->destination = g_str_has_suffix(colon, "/") ? g_strconcat(colon + 1, name, NULL) : g_strdup(colon + 1);
  g_ptr_array_add(copies, copy);
  return NULL;
}

/* What stands behind SRC: the colon and DST, or nothing. */
static const char *rest_of_copy(const char *text) {
  const char *colon = strrchr(text, ':');

  return colon && colon[1] ? colon : text + strlen(text);
}

/* A colon in the path is none before DST when there is another. */
static char *place_copy_in(const char *text, OptionPlace *place, void *opaque) {
  const char *rest = rest_of_copy(text);
  g_autofree char *path = g_strndup(text, (gsize)(rest - text)), *placed = place(opaque, path, 0);

  return g_strconcat(placed, *rest ? rest : strchr(placed, ':') ? ":/" : "", NULL);
}

static char *place_copy_out(const char *text, OptionPlace *place, void *opaque) {
  const char *rest = rest_of_copy(text), *path = *rest ? rest + 1 : "./";
  g_autofree char *source = g_strndup(text, (gsize)(rest - text));
  g_autofree char *placed = place(opaque, path, (gsize)(rest - text) + 1);

  return strchr(placed, ':') ? NULL : g_strconcat(source, ":", placed, NULL);
}

static char *parse_copy_in(void *field, const char *text) {
  return add_copy(*(GPtrArray **)field, text, "/");
}

static char *parse_copy_out(void *field, const char *text) {
  return add_copy(*(GPtrArray **)field, text, "./");
}

/* K=V, or K: then the value it has here. */
static char *parse_env(void *field, const char *text) {
  const char *equals = strchr(text, '=');
  const char *value = equals ? NULL : g_getenv(text);

  if (equals == text || !*text)
    return g_strdup("wants NAME=VALUE");
  if (!equals && !value)
    return g_strdup_printf("there is no such variable here; write %s=VALUE", text);
  g_ptr_array_add(*(GPtrArray **)field, equals ? g_strdup(text) : g_strconcat(text, "=", value, NULL));
  return NULL;
}

const Option exec_options[] = {
    OPTION("copy-in", PARSED, ExecOptions, copy_in, "SRC[:DST]", "Copy a file or directory into the guest, to /NAME or DST; repeatable.",
           .group = "Command", .examples = OPTION_EXAMPLE_FILES, .parse = parse_copy_in, .placed = place_copy_in, .repeatable = true),
    OPTION("copy-out", PARSED, ExecOptions, copy_out, "SRC[:DST]",
           "Copy a file or directory out of the guest when the command has ended, to ./NAME or DST; repeatable.",
           .examples = OPTION_EXAMPLE_FILES, .parse = parse_copy_out, .placed = place_copy_out, .repeatable = true),
    OPTION("copy-out-limit", SIZE, ExecOptions, copy_out_limit, "SIZE", "How much may come out at most (default: 1G).",
           .examples = "64M 256M 1G 4G", .min = COPY_OUT_LIMIT_MIN, .max = COPY_OUT_LIMIT_MAX),
    OPTION("env", PARSED, ExecOptions, program.env, "K=V", "A variable of the command's environment; repeatable. K alone: as it is here.",
           .parse = parse_env, .repeatable = true),
    OPTION("cwd", STRING, ExecOptions, program.cwd, "DIR", "The command's directory (default: /)."),
    OPTION("user", STRING, ExecOptions, program.user, "USER[:GROUP]",
           "Who runs the command: names or numbers, as the guest's root knows them (default: root, or whom the image says)."),
    OPTION("timeout", NUMBER, ExecOptions, timeout, "SECONDS", "How long the command may take; 0: for ever (default).", .max = TIMEOUT_MAX,
           .unit = "seconds"),
    OPTION("boot-timeout", NUMBER, ExecOptions, boot_timeout, "SECONDS",
           "How long the kernel may take to reach init (default: 120; 0: for ever).", .max = TIMEOUT_MAX, .unit = "seconds"),
    OPTION("host", FLAG, ExecOptions, host, NULL,
           "The command sees this machine's own root, of which nothing is changed, and begins in this directory: eret exec --host -- make "
           "test."),
    OPTION("busybox", PATH, ExecOptions, busybox, "FILE",
           "The static busybox for ARM64 that the guest gets (default: beside eret, or as Debian installs it)."),
    OPTION("modules", PATH, ExecOptions, modules, "DIR",
           "The kernel's modules: /lib/modules/VERSION (default: where they belong for a kernel in /boot or /usr/lib/modules)."),
    OPTION("module", TEXTS, ExecOptions, module, "NAME",
           "Load this module before the command starts; repeatable. Those that the machine's devices need come by themselves."),
    OPTION("fail-on-oops", FLAG, ExecOptions, fail_on_oops, NULL, "An oops of the kernel ends the run with status 242."),
    OPTION("console-log", PATH, ExecOptions, console_log, "FILE", "Write the kernel's console to FILE, each line with the time.",
           .written = true, .not_in_suite = "eret test has the console: expect-console looks at it, and --logs keeps it"),
    OPTION("verbose", FLAG, ExecOptions, verbose, NULL, "Show the kernel's console on standard error.",
           .not_in_suite = "it would be among the command's errors: expect-console looks at it, and --logs keeps it"),
    OPTION("quiet", FLAG, ExecOptions, quiet, NULL,
           "Let the kernel say only what is serious; this is how it is anyway where nobody reads its console.",
           .not_in_suite = "a case is quiet by itself, unless it has expect-console or reject-console"),
    OPTION("result", PATH, ExecOptions, result, "FILE", "Write what became of the run to FILE, as JSON.", .written = true,
           .not_in_suite = "eret test reads it: --json and --logs keep what is in it"),
    {.name = NULL},
};

static char *explain_stray(const char *argument, const char **meant) {
  char *guess = config_guess_stray(argument, meant);

  return guess ? guess : g_strdup(": the command follows behind --, as in eret exec --kernel Image -- uname -a");
}

const OptionSet exec_option_set = {
    .command = "exec",
    .usage = "Usage: eret exec [OPTION]... -- COMMAND [ARGUMENT]...\n"
             "       eret exec --image IMAGE [OPTION]... [-- WORD...]\n"
             "Boot a kernel in a virtual machine, run a command in it, and end with its exit status. Needs no root, no disk image, no "
             "network and no terminal. With --initrd the guest is the user's own: there is no command, and the run is good when the "
             "guest powers off. It takes a kernel also with --firmware, which then starts it.",
    .closing = CONFIG_HELP_CLOSING,
    .tables = {exec_options, config_options},
    .command_follows = true,
    .explain_stray = explain_stray,
    .explain_absent = config_explain_absent,
};

static void free_copy(gpointer data) {
  ExecCopy *copy = data;
  g_free(copy->source);
  g_free(copy->destination);
  g_free(copy);
}

void exec_options_free(ExecOptions *options) {
  if (!options)
    return;
  config_free(options->config);
  option_record_clear(exec_options, options);
  options->program.cwd = options->program.user = NULL; /* these were options */
  g_ptr_array_unref(options->copy_in);
  g_ptr_array_unref(options->copy_out);
  program_clear(&options->program);
  g_free(options);
}

static ExecOptions *new_options(void) {
  ExecOptions *options = g_new0(ExecOptions, 1);

  option_record_init(exec_options, options);
  options->config = config_new();
  options->copy_in = g_ptr_array_new_with_free_func(free_copy);
  options->copy_out = g_ptr_array_new_with_free_func(free_copy);
  program_init(&options->program);
  options->boot_timeout = BOOT_TIMEOUT_DEFAULT;
  options->copy_out_limit = COPY_OUT_LIMIT_DEFAULT;
  return options;
}

/* What is copied there would lie hidden below a file system of the guest's kernel. */
static bool is_covered(const char *path) {
  static const char *const covered[] = {"/proc", "/sys", "/dev", "/run"};
  g_autofree char *canonical = g_canonicalize_filename(path, "/");

  for (unsigned i = 0; i < G_N_ELEMENTS(covered); i++) {
    const char *rest = g_str_has_prefix(canonical, covered[i]) ? canonical + strlen(covered[i]) : "-";
    if (*rest == '/' || !*rest)
      return true;
  }
  return false;
}

static void check_module_names(const ExecOptions *options, GString *mistakes) {
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) error = NULL;

  if (!initramfs_add_modules(NULL, options->modules, (const char *const *)options->module->pdata, missing, &error))
    mistake(mistakes, "--modules: %s", error->message);
  for (unsigned i = 0; i < missing->len; i++)
    mistake(mistakes, "--module %s: '%s' has no such module, and the kernel has not built it in",
            (const char *)g_ptr_array_index(missing, i), options->modules);
}

static void check_modules(const ExecOptions *options, bool machine_is_good, GString *mistakes) {
  if (options->modules && !is_module_tree(options->modules))
    mistake(mistakes, "--modules: '%s' has no modules.dep; it is a directory such as /lib/modules/VERSION, after depmod", options->modules);
  else if (!options->modules && machine_is_good && options->module->len)
    mistake(mistakes, "--module %s: the modules of '%s' are neither beside it nor in /lib/modules; --modules names their directory",
            (const char *)g_ptr_array_index(options->module, 0), options->config->kernel ? options->config->kernel : "(no kernel)");
  else if (options->modules && options->module->len)
    check_module_names(options, mistakes);
}

/* Told before the run, as what it made would be lost with it. */
static void check_copy_out(const ExecCopy *copy, GString *mistakes) {
  g_autoptr(GError) error = NULL;

  if (copy->source[0] != '/')
    mistake(mistakes, "--copy-out: '%s' in the guest must be an absolute path", copy->source);
  if (!destination_check(copy->destination, &error))
    mistake(mistakes, "--copy-out: %s", error->message);
}

static bool is_same_file(const char *a, const char *b) {
  g_autofree char *first = g_canonicalize_filename(a, NULL);
  g_autofree char *second = g_canonicalize_filename(b, NULL);

  return strcmp(first, second) == 0;
}

/* One would replace the other, or be mixed with it, without a word. A device or a pipe takes one after the other. */
static void check_copied_apart(const ExecOptions *options, unsigned index, GString *mistakes) {
  const ExecCopy *copy = g_ptr_array_index(options->copy_out, index);
  struct stat status;

  if (stat(copy->destination, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return;
  for (unsigned i = 0; i < index; i++) {
    const ExecCopy *before = g_ptr_array_index(options->copy_out, i);
    if (!is_same_file(before->destination, copy->destination))
      continue;
    mistake(mistakes, "--copy-out: '%s' and '%s' would both be '%s'; '%s:PATH' names another", before->source, copy->source,
            copy->destination, copy->source);
    return;
  }
}

static void check(ExecOptions *options, bool machine_is_good, GString *mistakes) {
  g_autoptr(GError) error = NULL;
  struct stat status;

  for (unsigned i = 0; i < options->copy_in->len; i++) {
    const ExecCopy *copy = g_ptr_array_index(options->copy_in, i);
    if (lstat(copy->source, &status) < 0)
      mistake(mistakes, "--copy-in: cannot open '%s': %s", copy->source, g_strerror(errno));
    if (copy->destination[0] != '/')
      mistake(mistakes, "--copy-in: '%s' in the guest must be an absolute path", copy->destination);
    else if (is_covered(copy->destination))
      mistake(mistakes, "--copy-in: '%s' would be hidden: the guest's kernel has a file system of its own there", copy->destination);
  }
  if (options->copy_in->len && options->config->root == ROOT_SHARED && ((RootfsConfig *)options->config->rootfs->pdata[0])->writable)
    mistake(mistakes, "--copy-in: with --rootfs DIR,rw it would be written into DIR: put it there, or give it by --share DIR,at=/PLACE");
  for (unsigned i = 0; i < options->copy_out->len; i++) {
    check_copy_out(g_ptr_array_index(options->copy_out, i), mistakes);
    check_copied_apart(options, i, mistakes);
  }
  check_modules(options, machine_is_good, mistakes);
  g_autoptr(MappedFile) busybox = options->busybox ? busybox_open(options->busybox, &error) : NULL;
  if (error)
    mistake(mistakes, "--busybox: %s", error->message);
  if (options->program.cwd && options->program.cwd[0] != '/')
    mistake(mistakes, "--cwd: '%s' must be an absolute path in the guest", options->program.cwd);
  if (options->program.user && !program_is_user(options->program.user))
    mistake(mistakes, "--user: '%s' is not of the form USER[:GROUP], such as nobody, 1000 or 1000:100", options->program.user);
}

/* This machine's programs run in the guest where it is an ARM64 one. */
static void add_own_root(ExecOptions *options, OptionDraft *draft) {
  struct utsname host;

  if (uname(&host) == 0 && strcmp(host.machine, "aarch64") != 0)
    mistake(draft->mistakes, "--host: the programs of this machine (%s) do not run in the guest, which is an ARM64 one", host.machine);
  if (options->config->rootfs->len)
    mistake(draft->mistakes, "--host: the root is this machine's, and none of --rootfs: leave one of them out");
  if (options->config->image)
    mistake(draft->mistakes, "--host: the root is this machine's, and none of --image: leave one of them out");
  option_add_text(draft, options->config, option_find(config_options, "rootfs"), "--host", NULL, "/");
  options->config->own_root = true;
  if (!options->program.cwd)
    options->program.cwd = g_get_current_dir();
}

/* What a run reads beside the files of its options. */
static void name_inputs(const ExecOptions *options, GString *mistakes) {
  NamedFiles *named = options->config->named;

  named_files_read(named, "standard input", "/dev/stdin", mistakes);
  for (unsigned i = 0; i < options->copy_in->len; i++)
    named_files_read(named, "--copy-in", ((const ExecCopy *)g_ptr_array_index(options->copy_in, i))->source, mistakes);
}

/* What eret exec needs of a machine that is good, and finds for it; what the user has said stays. */
static void settle(ExecOptions *options, OptionDraft *draft) {
  GString *mistakes = draft->mistakes;
  g_autofree char *why = NULL;
  bool quiet = options->quiet || !(options->verbose || options->console_log);

  options->config->ports = !options->boot_only;
  options->config->reboot = false;
  if (!add_default_arguments(options->config, quiet, &why))
    mistake(mistakes, "--append: %s", why);
  if (!options->modules && options->config->kernel)
    options->modules = default_modules(options->config->kernel);
}

/* The machine, with what the other options want of it. Whether it is good. */
static bool make_machine(ExecOptions *options, OptionDraft *draft) {
  Config *config = options->config;
  gsize before = draft->mistakes->len;

  if (!option_is_given(draft, "kernel") && draft->descriptions->len == 0)
    config->kernel = installed_kernel_running();
  if (options->host)
    add_own_root(options, draft);
  options->boot_only = config->initrd != NULL;
  config->needs_kernel = true;
  config->own_init = !options->boot_only;
  name_inputs(options, draft->mistakes);
  config_check(draft, config);
  if (draft->mistakes->len > before)
    return false;
  settle(options, draft);
  return true;
}

static void check_command(const ExecOptions *options, bool in_suite, OptionDraft *draft) {
  GString *mistakes = draft->mistakes;
  const char *how =
      in_suite ? "a test has the key command, unless it has initrd" : "it follows behind --, as in eret exec --kernel Image -- uname -a";

  if (!options->boot_only && !options->config->image && options->program.command->len == 0 && !draft->operand_lost &&
      !option_has_failed(draft, "initrd", -1))
    mistake(mistakes, "no command given: %s", how);
  if (options->boot_only && options->program.command->len > 0)
    mistake(mistakes, "--initrd: a guest of the user's own runs no command; --copy-in and --rootfs put files into eret's");
  if (options->boot_only && (options->copy_in->len || options->copy_out->len || options->host || options->program.env->len ||
                             options->program.cwd || options->program.user || options->module->len || options->busybox))
    mistake(mistakes, "--initrd: nothing can be copied, set, loaded or mounted in a guest of the user's own");
}

/* Options of eret run alone. A name would not help. In a suite it is told what is so there. */
static void check_named(const ExecOptions *options, bool in_suite, OptionDraft *draft) {
  static const char *const of_systems[] = {"system[0]", "persist", "cloud-init[0]", "ssh-key[0]", "password"};
  const Config *config = options->config;

  if (config->detach || config->ssh)
    option_set_failed(draft, "name", -1);
  if (config->detach && !in_suite)
    option_mistake(draft, option_where(draft, "detach", -1),
                   "the command's streams are those of eret exec, so it stays; 'eret run' has --detach");
  if (config->ssh && !in_suite)
    option_mistake(draft, option_where(draft, "ssh", -1), "the guest of eret exec has no sshd; 'eret run' has --ssh");
  for (unsigned i = 0; i < G_N_ELEMENTS(of_systems) && !in_suite; i++)
    if (option_is_given(draft, of_systems[i]))
      option_mistake(draft, option_where(draft, of_systems[i], -1),
                     "eret exec runs a command in a guest of its own; 'eret run' boots a system");
}

/* A flag that is not for suites has been refused where it stands; a description file may have the same. */
static void check_in_suite(const ExecOptions *options, GString *mistakes) {
  const char *why, *name = config_not_in_suite(options->config, &why);

  if (name)
    mistake(mistakes, "--config: its file has %s: %s", name, why);
}

ExecOptions *exec_options_parse(int argc, char **argv, bool *help, GError **error) {
  g_autoptr(ExecOptions) options = new_options();
  void *const records[] = {options, options->config};
  g_autoptr(OptionDraft) draft = option_read(&exec_option_set, records, argc, argv);

  if (help)
    *help = draft->help;
  if (draft->help)
    return NULL;
  for (unsigned i = 0; i < draft->command->len; i++)
    g_ptr_array_add(options->program.command, g_strdup(draft->command->pdata[i]));
  check_named(options, !help, draft);
  bool machine_is_good = make_machine(options, draft);
  check_command(options, !help, draft);
  if (!help)
    check_in_suite(options, draft->mistakes);
  check(options, machine_is_good, draft->mistakes);
  return option_is_good(draft, error) ? g_steal_pointer(&options) : NULL;
}

bool exec_take_image(ExecOptions *options, const ImageConfig *image, GError **error) {
  if (program_take_image(&options->program, image, options->config->entrypoint, error))
    return true;
  g_prefix_error(error, "--image %s: ", options->config->image);
  return false;
}
