/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `eret exec`. Its own are taken out of the arguments by a table; what remains is for config.c, so that
 * a machine is described in the same words everywhere. The command follows behind "--". No lock: pure data.
 */
#include "vmm/exec/options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/mistakes.h"
#include "vmm/exec/busybox.h"
#include "vmm/exec/defaults.h"
#include "vmm/exec/destination.h"
#include "vmm/exec/modules.h"

#define BOOT_TIMEOUT_DEFAULT   120
#define TIMEOUT_MAX            (7u * 86400)
#define COPY_OUT_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define COPY_OUT_LIMIT_MIN     (UINT64_C(4) << 10)
#define COPY_OUT_LIMIT_MAX     (UINT64_C(1) << 50)

typedef enum { FLAG, TEXT, SECONDS, SIZE, COPY, VARIABLE, LIST } OptionType;

static const struct {
  const char *name;
  OptionType type;
  size_t offset;
  const char *not_in_suite; /* as in ConfigOption */
} own_options[] = {
    {"modules", TEXT, offsetof(ExecOptions, modules), NULL},
    {"module", LIST, offsetof(ExecOptions, module), NULL},
    {"busybox", TEXT, offsetof(ExecOptions, busybox), NULL},
    {"rootfs", TEXT, offsetof(ExecOptions, rootfs), NULL},
    {"copy-in", COPY, offsetof(ExecOptions, copy_in), NULL},
    {"copy-out", COPY, offsetof(ExecOptions, copy_out), NULL},
    {"copy-out-limit", SIZE, offsetof(ExecOptions, copy_out_limit), NULL},
    {"env", VARIABLE, offsetof(ExecOptions, env), NULL},
    {"cwd", TEXT, offsetof(ExecOptions, cwd), NULL},
    {"timeout", SECONDS, offsetof(ExecOptions, timeout), NULL},
    {"boot-timeout", SECONDS, offsetof(ExecOptions, boot_timeout), NULL},
    {"console-log", TEXT, offsetof(ExecOptions, console_log), "eret test has the console: expect-console looks at it, and --logs keeps it"},
    {"result", TEXT, offsetof(ExecOptions, result), "eret test reads it: --json and --logs keep what is in it"},
    {"verbose", FLAG, offsetof(ExecOptions, verbose),
     "it would be among the command's errors: expect-console looks at it, and --logs keeps it"},
    {"quiet", FLAG, offsetof(ExecOptions, quiet), "a case is quiet by itself, unless it has expect-console or reject-console"},
    {"fail-on-oops", FLAG, offsetof(ExecOptions, fail_on_oops), NULL},
};

static const char help_text[] = "Command:\n"
                                "  --copy-in SRC[:DST]   Copy a file or directory into the guest, to /NAME or DST;\n"
                                "                        repeatable.\n"
                                "  --copy-out SRC[:DST]  Copy a file or directory out of the guest when the command\n"
                                "                        has ended, to ./NAME or DST; repeatable.\n"
                                "  --copy-out-limit SIZE How much may come out at most (default: 1G).\n"
                                "  --env K=V             A variable of the command's environment; repeatable. K\n"
                                "                        alone: as it is here.\n"
                                "  --cwd DIR             The command's directory (default: /).\n"
                                "  --timeout SECONDS     How long the command may take; 0: for ever (default).\n"
                                "  --boot-timeout SECONDS\n"
                                "                        How long the kernel may take to reach init\n"
                                "                        (default: 120; 0: for ever).\n"
                                "  --rootfs DIR|IMAGE    What the command sees as /: a directory, packed into\n"
                                "                        memory, or an image of a file system, of which nothing is\n"
                                "                        changed (default: busybox alone).\n"
                                "  --busybox FILE        The static busybox for ARM64 that the guest gets\n"
                                "                        (default: beside eret, or as Debian installs it).\n"
                                "  --modules DIR         The kernel's modules: /lib/modules/VERSION (default: where\n"
                                "                        they belong for a kernel in /boot or /usr/lib/modules).\n"
                                "  --module NAME         Load this module before the command starts; repeatable.\n"
                                "                        Those that the machine's devices need come by themselves.\n"
                                "  --fail-on-oops        An oops of the kernel ends the run with status 242.\n"
                                "  --console-log FILE    Write the kernel's console to FILE, each line with the time.\n"
                                "  --verbose             Show the kernel's console on standard error.\n"
                                "  --quiet               Let the kernel say only what is serious; this is how it is\n"
                                "                        anyway where nobody reads its console.\n"
                                "  --result FILE         Write what became of the run to FILE, as JSON.\n"
                                "With --initrd the guest is the user's own: there is no command, and the run is good\n"
                                "when the guest powers off.\n";

const char *exec_options_help(void) {
  return help_text;
}

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
  g_free(options->modules);
  g_ptr_array_unref(options->module);
  g_free(options->busybox);
  g_free(options->result);
  g_free(options->rootfs);
  g_ptr_array_unref(options->copy_in);
  g_ptr_array_unref(options->copy_out);
  g_ptr_array_unref(options->env);
  g_free(options->cwd);
  g_free(options->console_log);
  g_ptr_array_unref(options->command);
  g_free(options);
}

static ExecOptions *new_options(void) {
  ExecOptions *options = g_new0(ExecOptions, 1);

  options->copy_in = g_ptr_array_new_with_free_func(free_copy);
  options->copy_out = g_ptr_array_new_with_free_func(free_copy);
  options->module = g_ptr_array_new_with_free_func(g_free);
  options->env = g_ptr_array_new_with_free_func(g_free);
  options->command = g_ptr_array_new_with_free_func(g_free);
  options->boot_timeout = BOOT_TIMEOUT_DEFAULT;
  options->copy_out_limit = COPY_OUT_LIMIT_DEFAULT;
  return options;
}

/* SRC[:DST]; without DST the last part of SRC, in PREFIX; with a slash at its end, in DST. */
static ExecCopy *parse_copy(const char *text, const char *prefix) {
  ExecCopy *copy = g_new0(ExecCopy, 1);
  const char *colon = strrchr(text, ':');

  copy->source = colon && colon[1] ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
  g_autofree char *name = g_path_get_basename(copy->source);
  if (!colon || !colon[1])
    copy->destination = g_strconcat(prefix, name, NULL);
  else
    copy->destination = g_str_has_suffix(colon, "/") ? g_strconcat(colon + 1, name, NULL) : g_strdup(colon + 1);
  return copy;
}

/* K=V, or K: then the value it has here. */
static void add_env(ExecOptions *options, const char *text, GString *mistakes) {
  const char *equals = strchr(text, '=');
  const char *value = equals ? NULL : g_getenv(text);

  if (equals == text || !*text)
    mistake(mistakes, "--env %s: wants NAME=VALUE", text);
  else if (equals)
    g_ptr_array_add(options->env, g_strdup(text));
  else if (value)
    g_ptr_array_add(options->env, g_strconcat(text, "=", value, NULL));
  else
    mistake(mistakes, "--env %s: there is no such variable here; write %s=VALUE", text, text);
}

static void set_size(uint64_t *size, const char *name, const char *text, GString *mistakes) {
  const char *why = NULL;

  if (!config_parse_size(text, size, &why))
    mistake(mistakes, "--%s: '%s' %s", name, text, why);
  else if (*size < COPY_OUT_LIMIT_MIN || *size > COPY_OUT_LIMIT_MAX)
    mistake(mistakes, "--%s: '%s' is not from 4K to 1024T", name, text);
}

static void set_option(ExecOptions *options, unsigned index, const char *value, GString *mistakes) {
  void *field = (char *)options + own_options[index].offset;
  const char *name = own_options[index].name;
  guint64 number;

  switch (own_options[index].type) {
  case FLAG:
    *(bool *)field = true;
    break;
  case TEXT:
    g_free(*(char **)field);
    *(char **)field = g_strdup(value);
    if (!*value)
      mistake(mistakes, "--%s: must not be empty", name);
    break;
  case SECONDS:
    if (g_ascii_string_to_unsigned(value, 10, 0, TIMEOUT_MAX, &number, NULL))
      *(unsigned *)field = (unsigned)number;
    else
      mistake(mistakes, "--%s: '%s' is not a whole number of seconds from 0 to %u", name, value, TIMEOUT_MAX);
    break;
  case SIZE:
    set_size(field, name, value, mistakes);
    break;
  case COPY:
    g_ptr_array_add(*(GPtrArray **)field, parse_copy(value, strcmp(name, "copy-in") == 0 ? "/" : "./"));
    break;
  case LIST:
    g_ptr_array_add(*(GPtrArray **)field, g_strdup(value));
    break;
  case VARIABLE:
    add_env(options, value, mistakes);
    break;
  }
}

static int find_option(const char *argument) {
  size_t length = strcspn(argument, "=");

  for (unsigned i = 0; g_str_has_prefix(argument, "--") && i < G_N_ELEMENTS(own_options); i++)
    if (strlen(own_options[i].name) == length - 2 && strncmp(argument + 2, own_options[i].name, length - 2) == 0)
      return (int)i;
  return -1;
}

/*
 * The option of ours at ARGV[*I], with its VALUE, or NULL; moves *I to the last word of it. Negative: it is the
 * machine's.
 */
static int read_option(int argc, char **argv, int *i, const char **value) {
  int index = find_option(argv[*i]);
  const char *equals = strchr(argv[*i], '=');

  *value = equals ? equals + 1 : NULL;
  if (index >= 0 && !equals && own_options[index].type != FLAG && *i + 1 < argc && strcmp(argv[*i + 1], "--") != 0)
    *value = argv[++*i];
  return index;
}

/* Takes our own options; appends the others to MACHINE. Returns where the command begins. */
static int take_options(ExecOptions *options, int argc, char **argv, GPtrArray *machine, GString *mistakes) {
  int i = 0;

  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *value;
    int index = read_option(argc, argv, &i, &value);
    if (index < 0)
      g_ptr_array_add(machine, g_strdup(argv[i]));
    else if (own_options[index].type == FLAG && value)
      mistake(mistakes, "--%s: takes no value", own_options[index].name);
    else if (own_options[index].type == FLAG || value)
      set_option(options, (unsigned)index, value, mistakes);
    else
      mistake(mistakes, "--%s: needs a value", own_options[index].name);
  }
  return i + 1;
}

void exec_options_each(int argc, char **argv, ConfigFlagFound found, void *opaque) {
  g_autoptr(GPtrArray) machine = g_ptr_array_new();

  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *value;
    int index = read_option(argc, argv, &i, &value);
    if (index < 0)
      g_ptr_array_add(machine, argv[i]);
    else
      found(opaque, own_options[index].name, own_options[index].not_in_suite);
  }
  config_each_flag((int)machine->len, (char **)machine->pdata, found, opaque);
}

static bool has_option(const GPtrArray *arguments, const char *name) {
  for (unsigned i = 0; i < arguments->len; i++) {
    const char *argument = g_ptr_array_index(arguments, i);
    if (g_str_has_prefix(argument, name) && (argument[strlen(name)] == 0 || argument[strlen(name)] == '='))
      return true;
  }
  return false;
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
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; i < options->module->len; i++)
    g_ptr_array_add(names, g_ptr_array_index(options->module, i));
  g_ptr_array_add(names, NULL);
  if (!modules_find_missing(options->modules, (const char *const *)names->pdata, missing, &error))
    mistake(mistakes, "--modules: %s", error->message);
  for (unsigned i = 0; i < missing->len; i++)
    mistake(mistakes, "--module %s: '%s' has no such module, and the kernel has not built it in",
            (const char *)g_ptr_array_index(missing, i), options->modules);
}

static void check_modules(const ExecOptions *options, GString *mistakes) {
  if (options->modules && !is_module_tree(options->modules))
    mistake(mistakes, "--modules: '%s' has no modules.dep; it is a directory such as /lib/modules/VERSION, after depmod", options->modules);
  else if (!options->modules && options->config && options->module->len)
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

/* Beside those that the machine's options name, and have been held against each other. A root disk is one of those. */
static void check_named_files(const ExecOptions *options, GString *mistakes) {
  NamedFiles *named = options->config->named;

  named_files_read(named, "standard input", "/dev/stdin", mistakes);
  named_files_read(named, "--busybox", options->busybox, mistakes);
  for (unsigned i = 0; i < options->copy_in->len; i++)
    named_files_read(named, "--copy-in", ((const ExecCopy *)g_ptr_array_index(options->copy_in, i))->source, mistakes);
  named_files_write(named, "--console-log", options->console_log, mistakes);
  named_files_write(named, "--result", options->result, mistakes);
}

static void check(ExecOptions *options, GString *mistakes) {
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
  for (unsigned i = 0; i < options->copy_out->len; i++) {
    check_copy_out(g_ptr_array_index(options->copy_out, i), mistakes);
    check_copied_apart(options, i, mistakes);
  }
  if (options->rootfs && stat(options->rootfs, &status) < 0)
    mistake(mistakes, "--rootfs: cannot open '%s': %s", options->rootfs, g_strerror(errno));
  check_modules(options, mistakes);
  g_autoptr(MappedFile) busybox = options->busybox ? busybox_open(options->busybox, &error) : NULL;
  if (error)
    mistake(mistakes, "--busybox: %s", error->message);
  if (options->cwd && options->cwd[0] != '/')
    mistake(mistakes, "--cwd: '%s' must be an absolute path in the guest", options->cwd);
  if (options->config)
    check_named_files(options, mistakes);
}

/*
 * An image is the machine's last disk. Here it is decided, once, that it is one. Returns --disk's value; free with
 * g_free. NULL: it is none.
 */
static char *root_disk(ExecOptions *options) {
  struct stat status;

  if (!options->rootfs || stat(options->rootfs, &status) < 0 || S_ISDIR(status.st_mode))
    return NULL;
  g_auto(GStrv) parts = g_strsplit(options->rootfs, ",", -1);
  g_autofree char *path = g_strjoinv(",,", parts);
  options->rootfs_is_image = true;
  return g_strconcat(path, ",ro", NULL);
}

/* What is wrong with the machine, in the user's words: the root's disk is not his. */
static void machine_mistakes(GString *mistakes, const char *text, const char *root_disk) {
  g_autofree char *shown = printable_line_escaped(root_disk ? root_disk : "", -1);
  g_autofree char *disk = g_strdup_printf("--disk %s: ", shown);
  g_auto(GStrv) parts = g_strsplit(text, disk, -1);
  g_autofree char *told = g_strjoinv("--rootfs: ", parts);
  mistakes_add(mistakes, told);
}

/* The machine: what eret exec needs is set, what the user has said about the rest stays. */
static void parse_machine(ExecOptions *options, GPtrArray *arguments, bool *help, GString *mistakes) {
  g_autoptr(GError) error = NULL;
  char *kernel = has_option(arguments, "--kernel") || has_option(arguments, "--config") ? NULL : default_kernel();

  if (kernel) {
    g_ptr_array_add(arguments, g_strdup("--kernel"));
    g_ptr_array_add(arguments, kernel);
  }
  g_autofree char *disk = root_disk(options);
  if (disk) {
    g_ptr_array_add(arguments, g_strdup("--disk"));
    g_ptr_array_add(arguments, g_strdup(disk));
  }
  options->config = config_parse((int)arguments->len, (char **)arguments->pdata, help, &error);
  if (error)
    machine_mistakes(mistakes, error->message, disk);
  if (!options->config)
    return;
  if (!options->config->kernel) /* a plan does without one, but not what goes into the guest beside it */
    mistake(mistakes, "no kernel given: add --kernel FILE");
  options->boot_only = options->config->initrd != NULL;
  options->config->ports = !options->boot_only;
  options->config->reboot = false;
  g_autofree char *why = NULL;
  bool quiet = options->quiet || !(options->verbose || options->console_log);
  if (!add_default_arguments(options->config, quiet, &why))
    mistake(mistakes, "--append: %s", why);
  if (!options->modules && options->config->kernel)
    options->modules = default_modules(options->config->kernel);
}

static void check_command(const ExecOptions *options, bool in_suite, GString *mistakes) {
  const char *how =
      in_suite ? "a test has the key command, unless it has initrd" : "it follows behind --, as in eret exec --kernel Image -- uname -a";

  if (!options->boot_only && options->command->len == 0)
    mistake(mistakes, "no command given: %s", how);
  if (options->boot_only && options->command->len > 0)
    mistake(mistakes, "--initrd: a guest of the user's own runs no command; --copy-in and --rootfs put files into eret's");
  if (options->boot_only && (options->copy_in->len || options->copy_out->len || options->rootfs || options->env->len || options->cwd ||
                             options->module->len || options->busybox))
    mistake(mistakes, "--initrd: nothing can be copied, set, loaded or mounted in a guest of the user's own");
}

/* A flag that is not for suites has been refused where it stands; a description file may have the same. */
static void check_in_suite(const ExecOptions *options, GString *mistakes) {
  const char *why, *name = options->config ? config_not_in_suite(options->config, &why) : NULL;

  if (name)
    mistake(mistakes, "--config: its file has %s: %s", name, why);
}

static ExecOptions *parse(int argc, char **argv, bool in_suite, bool *help, GError **error) {
  g_autoptr(ExecOptions) options = new_options();
  g_autoptr(GPtrArray) machine = g_ptr_array_new_with_free_func(g_free);
  GString *mistakes = g_string_new(NULL);
  int command = take_options(options, argc, argv, machine, mistakes);

  *help = false;
  for (int i = command; i < argc; i++)
    g_ptr_array_add(options->command, g_strdup(argv[i]));
  parse_machine(options, machine, help, mistakes);
  if (!*help)
    check_command(options, in_suite, mistakes);
  if (in_suite)
    check_in_suite(options, mistakes);
  g_ptr_array_add(options->command, NULL);
  check(options, mistakes);
  g_autofree char *text = g_string_free(mistakes, FALSE);
  if (*help)
    return NULL;
  if (!*text)
    return g_steal_pointer(&options);
  g_set_error_literal(error, CONFIG_ERROR, CONFIG_ERROR_INVALID, text);
  return NULL;
}

ExecOptions *exec_options_parse(int argc, char **argv, bool *help, GError **error) {
  return parse(argc, argv, false, help, error);
}

ExecOptions *exec_options_parse_case(int argc, char **argv, GError **error) {
  bool help;

  return parse(argc, argv, true, &help, error);
}
