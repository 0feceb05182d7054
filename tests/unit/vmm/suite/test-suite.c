/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suites: from text to cases, mistakes, variables, matrices, selection
 * (vmm/suite/{suite-file,suite-keys,matrix,suite,select}.c).
 */
#include <locale.h>
#include <string.h>

#include "tests/unit/directory.h"
#include "vmm/suite/suite.h"

typedef struct {
  char *directory;
  GHashTable *defines;
  NamedFiles *named;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->defines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  fixture->named = named_files_new();
  directory_write(fixture->directory, "Image", "x");
  directory_write(fixture->directory, "k/6.1/Image", "x");
  directory_write(fixture->directory, "k/6.12/Image", "x");
  directory_write(fixture->directory, "tool", "");
  directory_write(fixture->directory, "data,img", "");
  directory_write(fixture->directory, "lib/modules.dep", "kernel/here.ko:\n");
  directory_write(fixture->directory, "initrd", "x");
  directory_write(fixture->directory, "dry.json", "{\"dry-run\": true}");
  directory_write(fixture->directory, "good.json", "{\"scratch\": true}");
  directory_write(fixture->directory, "bad.json", "{\n\"dtbo\": \"nothing\",\n\"cpus\": 0\n}");
  g_hash_table_insert(fixture->defines, g_strdup("dir"), g_strdup(fixture->directory));
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_hash_table_unref(fixture->defines);
  named_files_free(fixture->named);
  directory_free(fixture->directory);
  g_free(fixture->directory);
}

static GPtrArray *load(Fixture *fixture, const char *text, GError **error) {
  g_autofree char *path = g_build_filename(fixture->directory, "suite.ini", NULL);
  const char *const files[] = {path, NULL};

  directory_write(fixture->directory, "suite.ini", text);
  return suite_load(files, fixture->defines, fixture->named, error);
}

static GPtrArray *load_good(Fixture *fixture, const char *text) {
  g_autoptr(GError) error = NULL;
  GPtrArray *cases = load(fixture, text, &error);

  g_assert_no_error(error);
  return cases;
}

/* TEXT, in which the directory's name is "DIR". */
static char *without_directory(const Fixture *fixture, const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, fixture->directory, -1);
  return g_strjoinv("DIR", parts);
}

static char *join(const GPtrArray *array) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < array->len; i++)
    g_string_append_printf(text, "%s%s", i ? "|" : "", (const char *)g_ptr_array_index(array, i));
  return g_string_free(text, FALSE);
}

/* The names of CASES, in a line each. */
static char *names(const GPtrArray *cases) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < cases->len; i++)
    g_string_append_printf(text, "%s\n", ((const SuiteCase *)g_ptr_array_index(cases, i))->name);
  return g_string_free(text, FALSE);
}

static void assert_options(Fixture *fixture, const SuiteCase *suite_case, const char *wanted) {
  g_autofree char *options = join(suite_case->options);
  g_autofree char *text = without_directory(fixture, options);

  g_assert_cmpstr(text, ==, wanted);
}

static void assert_joined(const GPtrArray *array, const char *wanted) {
  g_autofree char *text = join(array);

  g_assert_cmpstr(text, ==, wanted);
}

static void test_keys(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, "# A comment\n"
                                                  "[all]\n"
                                                  "description = all keys; of one test\n"
                                                  "kernel = Image\n"
                                                  "append = a=1 b;c\n"
                                                  "cpus=3\n"
                                                  "memory = 256M\n"
                                                  "disks = data,,img,ro; tool\n"
                                                  "share = .,ro,at=/src; /tmp\n"
                                                  "rootfs = .,copy\n"
                                                  "net = tap=a,mtu=1400; unix=/b\n"
                                                  "console = virtio\n"
                                                  "rng = true\n"
                                                  "nested = e2h0\n"
                                                  "options = --exits; all\n"
                                                  "command = sh -c 'echo \"$HOME\" $1' \\\\n two\n"
                                                  "stdin = one\\ntwo\\n\n"
                                                  "copy-in = tool:/bin/; tool\n"
                                                  "copy-out = /var/log:log; /out:/tmp/; /etc\n"
                                                  "copy-out-limit = 8M\n"
                                                  "env = A=1; B=x\\;y\n"
                                                  "cwd = /tmp\n"
                                                  "timeout = 7\n"
                                                  "boot-timeout = 8\n"
                                                  "output-limit = 2M\n"
                                                  "outcome = pass\n"
                                                  "exit-status = 255\n"
                                                  "expect = ^one$; t.o\n"
                                                  "reject = three\n"
                                                  "expect-console = Linux\n"
                                                  "reject-console = WARN; BUG\n"
                                                  "fail-on-oops = false\n"
                                                  "ktap = true\n"
                                                  "requires = tool; nothing\n"
                                                  "tags = quick; net\n"
                                                  "[other]\n"
                                                  "kernel = Image\n"
                                                  "command = x\n"
                                                  "outcome = panic\n");
  const SuiteCase *all = g_ptr_array_index(cases, 0);

  g_assert_cmpuint(cases->len, ==, 2);
  g_assert_cmpstr(all->suite, ==, "suite");
  g_assert_cmpstr(all->name, ==, "all");
  assert_options(fixture, all,
                 "--kernel|DIR/Image|--append|a=1 "
                 "b;c|--cpus|3|--memory|256M|--disk|DIR/data,,img,ro|--disk|DIR/tool|--share|DIR,ro,at=/src|--share|/"
                 "tmp|--rootfs|DIR,copy|--net|tap=a,mtu=1400|--net|unix=/"
                 "b|--console|virtio|--rng|--nested=e2h0|--exits|all|"
                 "--copy-in|DIR/tool:/bin/|--copy-in|DIR/tool|--copy-out|/var/log:DIR/log|--copy-out|/out:/tmp/|--copy-out|/etc:DIR/|"
                 "--copy-out-limit|8M|--env|A=1|--env|B=x;y|--cwd|/tmp|--timeout|7|--boot-timeout|8");
  assert_joined(all->command, "sh|-c|echo \"$HOME\" $1|n|two"); /* the file's backslash, then the shell's */
  g_assert_cmpmem(g_bytes_get_data(all->stdin_text, NULL), g_bytes_get_size(all->stdin_text), "one\ntwo\n", 8);
  assert_joined(all->expect, "^one$|t.o");
  assert_joined(all->reject, "three");
  assert_joined(all->expect_console, "Linux");
  assert_joined(all->reject_console, "WARN|BUG");
  assert_joined(all->tags, "quick|net");
  g_assert_cmpuint(all->requires->len, ==, 2);
  g_assert_cmpint(all->outcome, ==, EXPECT_PASS);
  g_assert_cmpint(((const SuiteCase *)g_ptr_array_index(cases, 1))->outcome, ==, EXPECT_PANIC);
  g_assert_cmpint(all->exit_status, ==, 255);
  g_assert_true(all->ktap);
  g_assert_cmpuint(all->cpus, ==, 3);
  g_assert_cmpuint(all->memory, ==, 256 << 20);
  g_assert_cmpuint(all->timeout, ==, 7);
  g_assert_cmpuint(all->boot_timeout, ==, 8);
  g_assert_cmpuint(all->output_limit, ==, 2 << 20);
}

static void test_defaults(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, "[first]\n"
                                                  "command = a\n"
                                                  "[defaults]\n"
                                                  "kernel = Image\n"
                                                  "cpus = 2\n"
                                                  "expect = x\n"
                                                  "[second]\n"
                                                  "command = b\n"
                                                  "expect =\n"
                                                  "matrix.cpus = 1; 4\n"
                                                  "[third]\n"
                                                  "command = c\n"
                                                  "cpus = 3\n");
  g_autofree char *text = names(cases);
  static const unsigned cpus[] = {2, 1, 4, 3};

  g_assert_cmpstr(text, ==, "first\nsecond[cpus=1]\nsecond[cpus=4]\nthird\n");
  for (unsigned i = 0; i < cases->len; i++)
    g_assert_cmpuint(((const SuiteCase *)g_ptr_array_index(cases, i))->cpus, ==, cpus[i]);
  g_assert_cmpuint(((const SuiteCase *)g_ptr_array_index(cases, 0))->expect->len, ==, 1);
  g_assert_cmpuint(((const SuiteCase *)g_ptr_array_index(cases, 1))->expect->len, ==, 0);
}

/* What a test has takes the place of what says the same in another way, or says nothing beside it, in the defaults. */
static void test_defaults_that_give_way(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, "[defaults]\n"
                                                  "kernel = Image\n"
                                                  "stdin-file = tool\n"
                                                  "exit-status = 3\n"
                                                  "[text]\n"
                                                  "command = a\n"
                                                  "stdin = text\n"
                                                  "[panics]\n"
                                                  "command = a\n"
                                                  "outcome = panic\n"
                                                  "[own]\n"
                                                  "initrd = initrd\n"
                                                  "stdin =\n"
                                                  "ktap = false\n"
                                                  "exit-status = 0\n"
                                                  "expect =\n");
  const SuiteCase *text = g_ptr_array_index(cases, 0), *panics = g_ptr_array_index(cases, 1);

  g_assert_nonnull(text->stdin_text);
  g_assert_null(text->stdin_file);
  g_assert_null(panics->stdin_text);
  g_assert_nonnull(panics->stdin_file);
  g_assert_cmpint(panics->outcome, ==, EXPECT_PANIC);
}

static void test_matrix(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, "[m]\n"
                                                  "matrix.kernel = k/6.1/Image; k/6.12/Image\n"
                                                  "matrix.console = pl011; virtio\n"
                                                  "matrix.command = echo 'a\\;b'; true -x\n"
                                                  "label.command = echo; true\n"
                                                  "exclude = kernel=6.1,console=virtio; command=true, kernel=6.12\n");
  g_autofree char *text = names(cases);

  g_assert_cmpstr(text, ==,
                  "m[kernel=6.1,console=pl011,command=echo]\n"
                  "m[kernel=6.1,console=pl011,command=true]\n"
                  "m[kernel=6.12,console=pl011,command=echo]\n"
                  "m[kernel=6.12,console=virtio,command=echo]\n");
  assert_joined(((const SuiteCase *)g_ptr_array_index(cases, 0))->command, "echo|a;b");
  assert_joined(((const SuiteCase *)g_ptr_array_index(cases, 1))->command, "true|-x");
  assert_options(fixture, g_ptr_array_index(cases, 3), "--kernel|DIR/k/6.12/Image|--console|virtio");
}

static void test_variables(Fixture *fixture, gconstpointer data) {
  g_hash_table_insert(fixture->defines, g_strdup("KERNEL"), g_strdup_printf("%s/Image", fixture->directory));
  g_hash_table_insert(fixture->defines, g_strdup("over"), g_strdup("${defined}"));
  g_setenv("ERET_TEST_HERE", "tests/unit", TRUE);
  g_autofree char *here = g_get_current_dir();
  g_autofree char *place = g_strdup_printf("--copy-in|%s/tests/unit/vmm:/x/", here);
  g_autoptr(GPtrArray) cases = load_good(fixture, "[v]\n"
                                                  "kernel = ${KERNEL}\n"
                                                  "var.over = not this\n"
                                                  "var.two = ${one} and ${name}\n"
                                                  "var.one = 1\n"
                                                  "var.place = ${ERET_TEST_HERE}/vmm\n"
                                                  "matrix.var.name = p; q/r\n"
                                                  "copy-in = ${place}:/x/; tool:/${name}\n"
                                                  "command = echo ${over} ${two} '$${one}' $one ${cwd}\n"
                                                  "cwd = /\n");
  const SuiteCase *first = g_ptr_array_index(cases, 0), *second = g_ptr_array_index(cases, 1);

  g_assert_cmpstr(first->name, ==, "v[name=p]");
  g_assert_cmpstr(second->name, ==, "v[name=r]");
  assert_joined(first->command, "echo|${defined}|1|and|p|${one}|$one|/");
  assert_joined(second->command, "echo|${defined}|1|and|q/r|${one}|$one|/");
  g_autofree char *options = join(first->options);
  g_assert_nonnull(strstr(options, place));
  g_autofree char *tool = g_strdup_printf("--copy-in|%s/tool:/p", fixture->directory);
  g_assert_nonnull(strstr(options, tool));
}

/* Each path of an option starts at the suite's directory, as those of keys do, unless the user's own is in front. */
static void test_paths(Fixture *fixture, gconstpointer data) {
  g_setenv("ERET_TEST_HERE", "tests/unit", TRUE);
  g_setenv("ERET_TEST_NAME", "socket", TRUE);
  g_autofree char *here = g_get_current_dir();
  g_autoptr(GPtrArray) cases =
      load_good(fixture, "[p]\n"
                         "kernel = Image\n"
                         "command = x\n"
                         "disks = tool,format=qcow2,backing=tool; nbd=nbd://h/x\n"
                         "net = unix=net,mac=52:54:00:00:00:01; tap=tap0\n"
                         "var.own = --dtbo=${ERET_TEST_HERE}/directory.h\n"
                         "var.name = to\n"
                         "options = --dtbo=tool; --dtbo; ${name}ol; ${own}; --fw-cfg=name=opt/x,file=tool; --record=boot.rec; --stats=-; "
                         "--hypercall=0xc6005000=unix:peer; --config=good.json; --vsock=auto,unix=./${ERET_TEST_NAME}; --ipa-bits=40\n");
  g_autofree char *wanted =
      g_strdup_printf("--kernel|DIR/Image|--disk|DIR/tool,format=qcow2,backing=DIR/tool|--disk|nbd=nbd://h/x|--net|unix=DIR/"
                      "net,mac=52:54:00:00:00:01|--net|tap=tap0|--dtbo=DIR/tool|--dtbo|DIR/tool|"
                      "--dtbo=%s/tests/unit/directory.h|--fw-cfg=name=opt/x,file=DIR/tool|--record=DIR/boot.rec|--stats=-|"
                      "--hypercall=0xc6005000=unix:DIR/peer|--config=DIR/good.json|--vsock=auto,unix=DIR/socket|--ipa-bits=40",
                      here);

  assert_options(fixture, g_ptr_array_index(cases, 0), wanted);
}

/* What would end a path, or a part, in a value. */
static void test_strange_directory(Fixture *fixture, gconstpointer data) {
  g_autofree char *path = g_build_filename(fixture->directory, "a,b:c", "suite.ini", NULL);
  const char *const files[] = {path, NULL};
  g_autoptr(GError) error = NULL, refused = NULL;

  directory_write(fixture->directory, "a,b:c/tool", "x");
  directory_write(fixture->directory, "a,b:c/suite.ini",
                  "[t]\nkernel = ../Image\ncommand = x\ndisks = tool,ro\ncopy-in = tool; tool:/x\ncopy-out = /x:/tmp/x\n"
                  "options = --dtbo=tool\n");
  g_autoptr(GPtrArray) cases = suite_load(files, fixture->defines, fixture->named, &error);
  g_assert_no_error(error);
  assert_options(fixture, g_ptr_array_index(cases, 0),
                 "--kernel|DIR/Image|--disk|DIR/a,,b:c/tool,ro|--copy-in|DIR/a,b:c/tool:/|--copy-in|DIR/a,b:c/tool:/x|--copy-out|/x:/tmp/x|"
                 "--dtbo=DIR/a,,b:c/tool");
  directory_write(fixture->directory, "a,b:c/suite.ini", "[t]\nkernel = ../Image\ncommand = x\ncopy-out = /x:y\n");
  g_assert_null(suite_load(files, fixture->defines, fixture->named, &refused));
  g_assert_true(g_str_has_suffix(refused->message, ":4: [t] copy-out: '/x:y' cannot start at the suite's directory, in whose path is a "
                                                   "colon: write where it starts"));
}

/* Mistakes: each line of what is said contains one of these, in this order, and there are no more. */
typedef struct {
  const char *name, *text, *said[8];
} Mistakes;

static const Mistakes mistakes[] = {
    {"key",
     "[a]\nkernel = Image\ncommand = x\nkernle = y\n\nfrobnicate = 1\n",
     {":4: there is no key 'kernle'; did you mean kernel?", ":6: there is no key 'frobnicate'"}},
    {"option", "[a]\nkernel = Image\ncommand = x\ncpus = none\nmemory = 1X\n", {":4: [a] --cpus: ", ":5: [a] --memory: "}},
    {"option of the matrix", "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = 1; 0\n", {":4: [a] --cpus: "}},
    {"file", "[a]\nkernel = not-there\ncommand = x\n", {":2: [a] --kernel: "}},
    {"disk", "[a]\nkernel = Image\ncommand = x\ndisks = tool,or\n", {":4: [a] --disk "}},
    {"no kernel", "\n[a]\ncommand = x\n", {":2: [a] no kernel given"}},
    {"twice",
     "[a]\nkernel = Image\ncommand = x\ncommand = y\n[a]\n",
     {":4: command is there twice; the first is in line 3", ":5: [a] is there twice; the first is in line 1"}},
    {"syntax",
     "x = 1\n[a\n[a b]\nwhat\n",
     {":1: x stands before", ":2: a section is [NAME]", ":3: 'a b' is no name", ":4: 'what' is neither"}},
    {"nothing", "# nothing\n", {"there is no test in it"}},
    {"only defaults", "[defaults]\nkernel = Image\n", {"there is no test in it"}},
    {"values",
     "[a]\nkernel = Image\ncommand = x\nexit-status = 256\noutcome = fine\nktap = maybe\nrng = perhaps\nstdin-file = no\n",
     {":4: exit-status: '256'", ":5: outcome: 'fine' is none of pass, panic", ":6: ktap: 'maybe'", ":7: rng: 'perhaps'",
      ":8: stdin-file: "}},
    {"input", "[a]\nkernel = Image\ncommand = x\nstdin-file = /dev\n", {":4: stdin-file: '/dev' is neither a file nor a character device"}},
    {"output-limit",
     "[a]\nkernel = Image\ncommand = x\noutput-limit = much\n[b]\nkernel = Image\ncommand = x\noutput-limit = 4095\n[c]\nkernel = "
     "Image\ncommand = x\noutput-limit = 1025M\n",
     {":4: output-limit: 'much' does not start with a digit", ":8: output-limit: '4095' is too little, 4K to 1G is possible",
      ":12: output-limit: '1025M' is too much, 4K to 1G is possible"}},
    {"quotes", "[a]\nkernel = Image\ncommand = sh -c 'x\n", {":3: command: "}},
    {"regex", "[a]\nkernel = Image\ncommand = x\nexpect = (\n", {":4: expect: "}},
    {"regex-of-a-text", "[a]\nkernel = Image\ncommand = x\nreject = (?is)a.*b\n", {":4: reject: (?s) is for a whole text"}},
    {"regex-part-of-a-text", "[a]\nkernel = Image\ncommand = x\nreject = ok (?s:a.*b)\n", {":4: reject: (?s) is for a whole text"}},
    {"unknown variable", "[a]\nkernel = ${NO_SUCH_THING}/Image\ncommand = x\n", {":2: kernel: there is no ${NO_SUCH_THING}"}},
    {"circle", "[a]\nkernel = Image\nvar.p = ${q}\nvar.q = ${p}\ncommand = x ${p}\n", {":5: command: ${"}},
    {"label without matrix", "[a]\nkernel = Image\ncommand = x\nlabel.cpus = one\n", {":4: label.cpus: there is no matrix.cpus"}},
    {"labels",
     "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = 1; 2\nlabel.cpus = one\n",
     {":5: label.cpus: there are 1 names for 2 values"}},
    {"twins", "[a]\nkernel = Image\nmatrix.command = x 1; x 1\n", {":3: matrix.command: these have no names that tell them apart"}},
    {"matrix and key", "[a]\nkernel = Image\ncommand = x\ncpus = 1\nmatrix.cpus = 1; 2\n", {":5: matrix.cpus: there is also cpus"}},
    {"matrix and input", "[a]\nkernel = Image\ncommand = x\nstdin = a\nmatrix.stdin = b; c\n", {":5: matrix.stdin: there is also stdin"}},
    {"matrix of lists", "[a]\nkernel = Image\ncommand = x\nmatrix.env = A=1; A=2\n", {":4: matrix.env: a list cannot be crossed"}},
    {"empty matrix", "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = ;\n", {":4: matrix.cpus: there is nothing in this list"}},
    {"exclude",
     "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = 1; 2\nexclude = cpus=3\n",
     {":5: exclude: no case of the matrix is cpus=3"}},
    {"exclude all",
     "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = 1; 2\nexclude = cpus=1; cpus=2\n",
     {":5: exclude: it leaves no case of [a]"}},
    {"options",
     "[a]\nkernel = Image\ncommand = x\noptions = --timeout; 5; --result=x; --verbose; --no-rng; --disk=tool; --dump-fdt; f; --help\n",
     {":4: [a] options: --timeout is a key of its own; write timeout = ...", ":4: [a] options: --result: eret test reads it",
      ":4: [a] options: --verbose: ", ":4: [a] options: --rng is a key of its own; write rng = ...",
      ":4: [a] options: --disk is a key of its own; write disks = ...", ":4: [a] options: --dump-fdt: nothing would run; eret run",
      ":4: [a] options: --help: nothing would run"}},
    {"options of a matrix",
     "[a]\nkernel = Image\ncommand = x\nmatrix.cpus = 1; 2\noptions = --dry-run; --console-log; x; --quiet\n",
     {":5: [a] options: --console-log: eret test has the console", ":5: [a] options: --quiet: a case is quiet by itself",
      ":5: [a] options: --dry-run: nothing would run; eret test --list"}},
    {"options of a description",
     "[a]\nkernel = Image\ncommand = x\noptions = --config; ${dir}/dry.json\n",
     {":4: [a] --config: its file has dry-run: nothing would run"}},
    {"mistakes in options",
     "[a]\nkernel = Image\ncommand = x\noptions = --dtbo=nothing; --nosuch; --ipa-bits=3; --scratch 1; y; --no-scratch=1\n",
     {":4: [a] unknown option --nosuch", ":4: [a] '--scratch 1' is one word", ":4: [a] unexpected argument 'y'",
      ":4: [a] --no-scratch: takes no value", ":4: [a] --ipa-bits: ", ":4: [a] --dtbo /"}},
    {"mistakes in a description", "[a]\ncommand = x\noptions = --config=bad.json\nkernel = Image\n", {":3: [a] ", ":3: [a] "}},
    {"end of options",
     "[a]\nkernel = Image\ncommand = x\noptions = --scratch; --; y\n",
     {":4: [a] options: what is behind -- is the key command"}},
    {"no command", "[a]\nkernel = Image\n", {":1: [a] no command given: a test has the key command, unless it has initrd"}},
    {"two inputs",
     "[a]\nkernel = Image\ncommand = x\nstdin = y\nstdin-file = tool\n",
     {":5: [a] stdin-file: there is also stdin; a command reads one of them"}},
    {"oops",
     "[a]\nkernel = Image\ncommand = x\noutcome = oops\n",
     {":4: [a] outcome: an oops does not end a guest but with fail-on-oops = true"}},
    {"status of a panic",
     "[a]\nkernel = Image\ncommand = x\nexit-status = 1\noutcome = panic\n",
     {":4: [a] exit-status: it is looked at with outcome = pass only"}},
    {"initrd",
     "[a]\nkernel = Image\ninitrd = initrd\nstdin = x\nexpect = y\nktap = true\nexit-status = 1\n",
     {":4: [a] stdin: a guest of the user's own (initrd) has no command", ":5: [a] expect: ", ":6: [a] ktap: ", ":7: [a] exit-status: "}},
    {"module", "[a]\nkernel = Image\nmodules = lib\ncommand = x\nmodule = here; nosuch\n", {":5: [a] --module nosuch: "}},
    {"busybox", "[a]\nkernel = Image\ncommand = x\nbusybox = tool\n", {":4: [a] --busybox: "}},
    {"booleans",
     "[a]\nkernel = Image\ncommand = x\nrng = 1\nktap = yes\nfail-on-oops = TRUE\n",
     {":4: rng: '1' is neither true nor false", ":5: ktap: 'yes' is neither true nor false", ":6: fail-on-oops: 'TRUE' is neither"}},
    {"not UTF-8", "[a]\nkernel = \xff\n", {"it is not a text in UTF-8"}},
};

static void test_mistakes(Fixture *fixture, gconstpointer data) {
  const Mistakes *sample = data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) cases = load(fixture, sample->text, &error);
  unsigned n = 0;

  g_assert_null(cases);
  g_assert_error(error, SUITE_ERROR, SUITE_ERROR_INVALID);
  g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
  for (; lines[n] && n < G_N_ELEMENTS(sample->said) && sample->said[n]; n++)
    if (!strstr(lines[n], "suite.ini:") || !strstr(lines[n], sample->said[n]))
      g_error("'%s' is not like '%s'", lines[n], sample->said[n]);
  if (lines[n] || (n < G_N_ELEMENTS(sample->said) && sample->said[n]))
    g_error("%u lines: %s", n, error->message);
}

/* What nobody expands may have anything in it. */
static void test_comment(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) cases = load(fixture, "[a]\nkernel = Image\ncommand = x\ndescription = costs ${nothing}\n", &error);

  g_assert_no_error(error);
  g_assert_cmpuint(cases->len, ==, 1);
}

/* As many cells as keys that there are not, and exclusions of nothing: each is told once. */
static void test_many_mistakes(Fixture *fixture, gconstpointer data) {
  enum { N = 300 };
  g_autoptr(GString) text = g_string_new("[a]\nkernel = Image\ncommand = x\nmatrix.timeout = ");
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; i < N; i++)
    g_string_append_printf(text, "%u;", i);
  g_string_append(text, "\nexclude = timeout=0;");
  for (unsigned i = 0; i < N; i++)
    g_string_append_printf(text, "timeout=0,x=%u;", i);
  for (unsigned i = 0; i < N; i++)
    g_string_append_printf(text, "\nkey%u = x", i);
  g_assert_null(load(fixture, text->str, &error));
  g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, 2 * N);
  g_assert_true(g_str_has_suffix(lines[0], "suite.ini:6: there is no key 'key0'"));
  g_assert_true(g_str_has_suffix(lines[N], "suite.ini:5: exclude: no case of the matrix is timeout=0,x=0"));
}

static void test_no_file(Fixture *fixture, gconstpointer data) {
  static const char *const files[] = {"/no/such/suite.ini", NULL};
  g_autoptr(GError) error = NULL;

  g_assert_null(suite_load(files, fixture->defines, fixture->named, &error));
  g_assert_cmpstr(error->message, ==, "/no/such/suite.ini: it cannot be read: No such file or directory");
}

/* It has no end. */
static void test_endless_file(Fixture *fixture, gconstpointer data) {
  static const char *const files[] = {"/dev/zero", NULL};
  g_autoptr(GError) error = NULL;

  g_assert_null(suite_load(files, fixture->defines, fixture->named, &error));
  g_assert_cmpstr(error->message, ==, "/dev/zero: it cannot be read: larger than 16 MiB: this is no suite");
}

static void test_same_names(Fixture *fixture, gconstpointer data) {
  g_autofree char *first = g_build_filename(fixture->directory, "a", "suite.ini", NULL);
  g_autofree char *second = g_build_filename(fixture->directory, "b", "suite.ini", NULL);
  const char *const files[] = {first, second, NULL};
  g_autoptr(GError) error = NULL;

  directory_write(fixture->directory, "a/suite.ini", "[t]\nkernel = ../Image\ncommand = x\n");
  directory_write(fixture->directory, "b/suite.ini", "[t]\nkernel = ../Image\ncommand = x\n");
  g_assert_null(suite_load(files, fixture->defines, fixture->named, &error));
  g_assert_nonnull(strstr(error->message, "there are two cases suite/t"));
}

/* Too many cases are refused, not made. */
static void test_bound(Fixture *fixture, gconstpointer data) {
  GString *text = g_string_new("[a]\nkernel = Image\ncommand = x\n");
  g_autoptr(GError) error = NULL;

  for (char axis = 'a'; axis <= 'f'; axis++) {
    g_string_append_printf(text, "matrix.var.%c = ", axis);
    for (unsigned i = 0; i < 20; i++)
      g_string_append_printf(text, "%u;", i);
    g_string_append_c(text, '\n');
  }
  g_assert_null(load(fixture, text->str, &error));
  g_assert_nonnull(strstr(error->message, ":1: [a] makes more than"));
  g_string_free(text, TRUE);
}

/* A line doubles what the next one stands for: neither text nor work without a bound, and said where. */
static void test_expansion(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *leaf; /* what is doubled */
    const char *where, *said;
  } tries[] = {
      {"0123456789abcdef", "command = echo ${v0}",
       ":3: [a] command: what its ${NAME}s stand for, and what these stand for, is more than 4 MiB"},
      {"", "env = A=1; B=${v0}; C=${v0}", ":3: [a] env: what its ${NAME}s stand for, and what these stand for, is more than 4 MiB"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(tries); i++) {
    GString *text = g_string_new("[a]\nkernel = Image\n");
    g_autoptr(GError) error = NULL;
    g_string_append_printf(text, "%s\n%s", tries[i].where, i ? "command = x\n" : "");
    for (unsigned level = 0; level < 7; level++) {
      g_string_append_printf(text, "var.v%u = ", level);
      for (unsigned n = 0; n < 50; n++)
        g_string_append_printf(text, "${v%u}", level + 1);
      g_string_append_c(text, '\n');
    }
    g_string_append_printf(text, "var.v7 = %s\n", tries[i].leaf);
    g_assert_null(load(fixture, text->str, &error));
    g_assert_nonnull(strstr(error->message, tries[i].said));
    g_assert_null(strchr(error->message, '\n'));
    g_string_free(text, TRUE);
  }
}

/* What each case may have, thousands may not. */
static void test_expansion_of_all(Fixture *fixture, gconstpointer data) {
  GString *text = g_string_new("[a]\nkernel = Image\nstdin = ${big}${big}${big}\ncommand = x\nmatrix.var.n = ");
  g_autofree char *big = g_strnfill(1 << 20, 'b');
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; i < 100; i++)
    g_string_append_printf(text, "%u;", i);
  g_string_append_c(text, '\n');
  g_hash_table_insert(fixture->defines, g_strdup("big"), g_steal_pointer(&big));
  g_assert_null(load(fixture, text->str, &error));
  g_assert_nonnull(
      strstr(error->message,
             ":3: [a] stdin: what its ${NAME}s stand for, and what these stand for, is more than 256 MiB in all cases of the test"));
  g_string_free(text, TRUE);
}

/* Work is counted in allocations, which the address sanitizer tells. */
void __sanitizer_malloc_hook(const volatile void *memory, size_t size);
static uint64_t allocations;

void __sanitizer_malloc_hook(const volatile void *memory, size_t size) {
  allocations++;
}

/* How many it takes to make N cases of a matrix of as many paths. */
static uint64_t count_work(Fixture *fixture, unsigned n) {
  GString *text = g_string_new("[a]\nkernel = Image\ncommand = x\nmatrix.var.path = ");

  for (unsigned i = 0; i < n; i++)
    g_string_append_printf(text, "../kernels/v%u/Image; ", i);
  g_string_append_c(text, '\n');
  uint64_t before = allocations;
  g_autoptr(GPtrArray) cases = load_good(fixture, text->str);
  uint64_t after = allocations;
  g_assert_cmpuint(cases->len, ==, n);
  g_assert_cmpstr(((SuiteCase *)g_ptr_array_index(cases, 7))->name, ==, "a[path=v7]");
  g_string_free(text, TRUE);
  return after - before;
}

/* Twice as many cases are twice as much work. */
static void test_work(Fixture *fixture, gconstpointer data) {
  uint64_t some = count_work(fixture, 200), twice = count_work(fixture, 400);

  g_assert_cmpuint(some, >, 200);
  g_assert_cmpuint(twice, <, some * 5 / 2);
}

/* Selection. */

static const char many[] = "[defaults]\nkernel = Image\ncommand = x\n"
                           "[one]\nmatrix.cpus = 1;2;3;4\ntags = quick\n"
                           "[two]\nmatrix.cpus = 1;2;3\ntags = slow; net\n"
                           "[three]\n";

static char *selected(GPtrArray *cases, const char *filter, const char *tag, const char *skip_tag, unsigned shard, unsigned shards) {
  g_autoptr(GPtrArray) tags = g_ptr_array_new();
  g_autoptr(GPtrArray) skip_tags = g_ptr_array_new();
  g_autoptr(GError) error = NULL;

  if (tag)
    g_ptr_array_add(tags, (char *)tag);
  if (skip_tag)
    g_ptr_array_add(skip_tags, (char *)skip_tag);
  g_autoptr(GPtrArray) chosen = suite_select(cases, filter, tags, skip_tags, shard, shards, &error);
  g_assert_no_error(error);
  return names(chosen);
}

static void test_select(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, many);
  g_autofree char *by_name = selected(cases, "^suite/t.*[23e](]|$)", NULL, NULL, 1, 1);
  g_autofree char *by_tag = selected(cases, NULL, "net", NULL, 1, 1);
  g_autofree char *not_tag = selected(cases, NULL, NULL, "quick", 1, 1);
  g_autofree char *both = selected(cases, "cpus=1", "quick", "net", 1, 1);

  g_assert_cmpstr(by_name, ==, "two[cpus=2]\ntwo[cpus=3]\nthree\n");
  g_assert_cmpstr(by_tag, ==, "two[cpus=1]\ntwo[cpus=2]\ntwo[cpus=3]\n");
  g_assert_cmpstr(not_tag, ==, "two[cpus=1]\ntwo[cpus=2]\ntwo[cpus=3]\nthree\n");
  g_assert_cmpstr(both, ==, "one[cpus=1]\n");
  g_autoptr(GPtrArray) none = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  g_assert_null(suite_select(cases, "(", none, none, 1, 1, &error));
  g_assert_true(g_str_has_prefix(error->message, "--filter: "));
}

/* Who asks for what is not there is told so, with what there is. */
static void test_select_nothing(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *filter, *tag, *skip_tag, *said;
  } wishes[] = {
      {"fuor", NULL, NULL, "--filter: 'fuor' is found in the name of no case; there are suite/one, suite/two, suite/three"},
      {"suite/thre$", NULL, NULL, "--filter: 'suite/thre$' is found in the name of no case; did you mean suite/three?"},
      {NULL, "qick", NULL, "--tag: no case has the tag 'qick'; did you mean quick?"},
      {NULL, "zebra", NULL, "--tag: no case has the tag 'zebra'; there are quick, slow, net"},
      {NULL, NULL, "slwo", "--skip-tag: no case has the tag 'slwo'; did you mean slow?"},
      {"one", "net", NULL, "of 8 cases none is left to run: none is what --filter, --tag and --skip-tag ask for together"},
      {NULL, "slow", "net", "of 8 cases none is left to run: none is what --filter, --tag and --skip-tag ask for together"},
      {"x{2}", "a", "b",
       "--filter: 'x{2}' is found in the name of no case; there are suite/one, suite/two, suite/three\n"
       "--tag: no case has the tag 'a'; there are quick, slow, net\n"
       "--skip-tag: no case has the tag 'b'; there are quick, slow, net"},
  };
  g_autoptr(GPtrArray) cases = load_good(fixture, many);

  for (unsigned i = 0; i < G_N_ELEMENTS(wishes); i++) {
    g_autoptr(GPtrArray) tags = g_ptr_array_new();
    g_autoptr(GPtrArray) skip_tags = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    if (wishes[i].tag)
      g_ptr_array_add(tags, (char *)wishes[i].tag);
    if (wishes[i].skip_tag)
      g_ptr_array_add(skip_tags, (char *)wishes[i].skip_tag);
    g_assert_null(suite_select(cases, wishes[i].filter, tags, skip_tags, 1, 1, &error));
    g_assert_cmpstr(error->message, ==, wishes[i].said);
  }
}

/* One of two tags that nobody has is a mistake as well; of many names some are told; where there are no tags, that. */
static void test_select_tags(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) none = g_ptr_array_new(), tags = g_ptr_array_new();
  g_autoptr(GError) error = NULL, other_error = NULL;
  g_autoptr(GPtrArray) cases = load_good(fixture, "[a]\nkernel = Image\ncommand = x\ntags = t1;t2;t3;t4;t5;t6;t7;t8;t9;t10\n");

  g_ptr_array_add(tags, (char *)"t1");
  g_ptr_array_add(tags, (char *)"other");
  g_assert_null(suite_select(cases, NULL, tags, none, 1, 1, &error));
  g_assert_cmpstr(error->message, ==, "--tag: no case has the tag 'other'; there are t1, t2, t3, t4, t5, t6, t7, t8 and 2 more");
  g_autoptr(GPtrArray) bare = load_good(fixture, "[a]\nkernel = Image\ncommand = x\n");
  g_assert_null(suite_select(bare, NULL, none, tags, 1, 1, &other_error));
  g_assert_true(g_str_has_prefix(other_error->message,
                                 "--skip-tag: no case has the tag 't1'; there are none\n--skip-tag: no case has the tag 'other'"));
}

/* A shard without cases is no mistake: there are more shards than cases. */
static void test_empty_shard(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, many);
  g_autofree char *text = selected(cases, "three", NULL, NULL, 2, 2);

  g_assert_cmpstr(text, ==, "");
}

/* Whatever the number of shards: each case is in exactly one, and their numbers differ by one at most. */
static void test_shards(Fixture *fixture, gconstpointer data) {
  g_autoptr(GPtrArray) cases = load_good(fixture, many);

  for (unsigned shards = 1; shards <= 12; shards++) {
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    unsigned sum = 0, least = G_MAXUINT, most = 0;
    for (unsigned shard = 1; shard <= shards; shard++) {
      g_autofree char *text = selected(cases, NULL, NULL, NULL, shard, shards);
      g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
      unsigned n = MAX(g_strv_length(lines), 1) - 1; /* of nothing there are no lines */
      for (unsigned i = 0; i < n; i++)
        g_assert_true(g_hash_table_add(seen, g_strdup(lines[i])));
      sum += n;
      least = MIN(least, n);
      most = MAX(most, n);
    }
    g_assert_cmpuint(sum, ==, cases->len);
    g_assert_cmpuint(most - least, <=, 1);
  }
}

static void add(const char *name, gconstpointer data, void (*test)(Fixture *, gconstpointer)) {
  g_autofree char *path = g_strconcat("/suite/", name, NULL);
  g_test_add(path, Fixture, data, set_up, test, tear_down);
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  add("keys", NULL, test_keys);
  add("defaults", NULL, test_defaults);
  add("defaults-that-give-way", NULL, test_defaults_that_give_way);
  add("matrix", NULL, test_matrix);
  add("variables", NULL, test_variables);
  add("paths", NULL, test_paths);
  add("strange-directory", NULL, test_strange_directory);
  for (unsigned i = 0; i < G_N_ELEMENTS(mistakes); i++) {
    g_autofree char *name = g_strconcat("mistakes/", mistakes[i].name, NULL);
    add(name, &mistakes[i], test_mistakes);
  }
  add("comment", NULL, test_comment);
  add("many-mistakes", NULL, test_many_mistakes);
  add("no-file", NULL, test_no_file);
  add("endless-file", NULL, test_endless_file);
  add("same-names", NULL, test_same_names);
  add("bound", NULL, test_bound);
  add("expansion", NULL, test_expansion);
  add("expansion-of-all", NULL, test_expansion_of_all);
  add("work", NULL, test_work);
  add("select", NULL, test_select);
  add("select-nothing", NULL, test_select_nothing);
  add("select-tags", NULL, test_select_tags);
  add("empty-shard", NULL, test_empty_shard);
  add("shards", NULL, test_shards);
  return g_test_run();
}
