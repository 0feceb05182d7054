/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing that one option names is to be overwritten for another. */
#include <string.h>

#include "vmm/options/option.h"

/* Of RECORD, a table's or an element of a list's, the file that OPTION names. */
static void name_file(NamedFiles *named, const void *record, const Option *option, const char *where, bool written, GString *mistakes) {
  const char *path = *(char *const *)((const char *)record + option->offset);

  if (!written)
    named_files_read(named, where, path, mistakes);
  else if (!option->alone || g_strcmp0(path, option->alone) != 0) /* which is a standard stream */
    named_files_write(named, where, path, mistakes);
}

static void name_files_of_list(OptionDraft *draft, NamedFiles *named, const void *record, const Option *list, bool written) {
  const GPtrArray *elements = *(GPtrArray *const *)((const char *)record + list->offset);

  for (unsigned i = 0; i < elements->len; i++)
    for (const Option *option = list->element->options; option->name; option++)
      if (option->kind == OPTION_PATH && option->written == written)
        name_file(named, elements->pdata[i], option, option_where(draft, list->name, (int)i), written, draft->mistakes);
}

/* A command's own files come last: they are what a mistake is about. */
static void name_files(OptionDraft *draft, NamedFiles *named, bool written) {
  unsigned i = 0;

  while (draft->set->tables[i])
    i++;
  while (i-- > 0)
    for (const Option *option = draft->set->tables[i]; option->name; option++) {
      if (option->kind == OPTION_PATH && option->written == written)
        name_file(named, draft->records[i], option, option_where(draft, option->name, -1), written, draft->mistakes);
      else if (option->kind == OPTION_LIST)
        name_files_of_list(draft, named, draft->records[i], option, written);
    }
}

void option_name_files(OptionDraft *draft, NamedFiles *named) {
  for (unsigned i = 0; i < draft->descriptions->len; i++)
    named_files_read(named, "--config", draft->descriptions->pdata[i], draft->mistakes);
  name_files(draft, named, false);
  name_files(draft, named, true);
}
