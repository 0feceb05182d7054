/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/program.h"

#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ROOT_USER    "0"

void program_init(Program *program) {
  program->command = g_ptr_array_new_null_terminated(1, g_free, true);
  program->env = g_ptr_array_new_null_terminated(1, g_free, true);
}

void program_clear(Program *program) {
  g_ptr_array_unref(program->command);
  g_ptr_array_unref(program->env);
  g_free(program->cwd);
  g_free(program->user);
}

/* In place of one of the same name. */
static void set_variable(GPtrArray *env, const char *variable) {
  size_t length = strcspn(variable, "=") + 1;

  for (unsigned i = 0; i < env->len; i++)
    if (strncmp(env->pdata[i], variable, length) == 0)
      g_ptr_array_remove_index(env, i--);
  g_ptr_array_add(env, g_strdup(variable));
}

static void take_env(Program *program, char *const *env) {
  GPtrArray *all = g_ptr_array_new_null_terminated(1, g_free, true);

  for (; *env; env++)
    set_variable(all, *env);
  for (unsigned i = 0; i < program->env->len; i++)
    set_variable(all, program->env->pdata[i]);
  g_ptr_array_unref(program->env);
  program->env = all;
}

static void take_words(GPtrArray *words, char *const *more) {
  for (; *more; more++)
    g_ptr_array_add(words, g_strdup(*more));
}

static void take_command(Program *program, const ImageConfig *image, const char *entrypoint) {
  GPtrArray *all = g_ptr_array_new_null_terminated(1, g_free, true);

  if (!entrypoint)
    take_words(all, image->entrypoint);
  else if (*entrypoint)
    g_ptr_array_add(all, g_strdup(entrypoint));
  if (program->command->len)
    take_words(all, (char *const *)program->command->pdata);
  else if (!entrypoint)
    take_words(all, image->command);
  g_ptr_array_unref(program->command);
  program->command = all;
}

bool program_take_image(Program *program, const ImageConfig *image, const char *entrypoint, GError **error) {
  take_command(program, image, entrypoint);
  take_env(program, image->env);
  if (!program->cwd)
    program->cwd = g_strdup(image->cwd);
  if (!program->user)
    program->user = g_strdup(image->user ? image->user : ROOT_USER);
  program->makes_cwd = true;
  if (program->command->len)
    return true;
  g_set_error_literal(error, IMAGE_ERROR, IMAGE_ERROR_CONFIG,
                      "the image has neither entry point nor command: say what is to run in it, behind --, as in -- /bin/sh");
  return false;
}

bool program_is_user(const char *text) {
  const char *colon = strchr(text, ':');

  return *text && *text != ':' && (!colon || (colon[1] && !strchr(colon + 1, ':'))) && !strpbrk(text, "\n");
}

void spec_add(GByteArray *spec, const char *key, const char *value) {
  g_byte_array_append(spec, (const guint8 *)key, (guint)strlen(key));
  g_byte_array_append(spec, (const guint8 *)"=", 1);
  g_byte_array_append(spec, (const guint8 *)value, (guint)strlen(value) + 1);
}

/* Where it is not root by itself, init knows whose home it is. */
static void add_environment(GByteArray *spec, const Program *program, const char *terminal) {
  const char *const defaults[][2] = {{"PATH", DEFAULT_PATH}, {"HOME", program->user ? NULL : "/root"}, {"TERM", terminal}};

  for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++) {
    g_autofree char *variable = g_strconcat(defaults[i][0], "=", defaults[i][1], NULL);
    if (defaults[i][1] && !g_environ_getenv((char **)program->env->pdata, defaults[i][0]))
      spec_add(spec, "env", variable);
  }
  for (unsigned i = 0; i < program->env->len; i++)
    spec_add(spec, "env", program->env->pdata[i]);
}

void program_add_records(GByteArray *spec, const Program *program, const char *terminal) {
  for (unsigned i = 0; i < program->command->len; i++)
    spec_add(spec, "arg", program->command->pdata[i]);
  add_environment(spec, program, terminal);
  if (program->cwd)
    spec_add(spec, "cwd", program->cwd);
  if (program->makes_cwd)
    spec_add(spec, "make-cwd", "1");
  if (program->user)
    spec_add(spec, "user", program->user);
}
