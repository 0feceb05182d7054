/* SPDX-License-Identifier: Apache-2.0 */
/* `eret exec`: boots, runs a command, ends with its status. */
#include <stdio.h>
#include <sys/stat.h>

#include "devices/backend/message.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/image-waiting.h"
#include "vmm/cmd/plan.h"
#include "vmm/config/board.h"
#include "vmm/exec/initramfs.h"
#include "vmm/exec/memory-check.h"
#include "vmm/exec/outcome.h"
#include "vmm/exec/parts.h"
#include "vmm/exec/result-file.h"
#include "vmm/exec/session.h"
#include "vmm/machine/machine.h"

/* There was no guest, and this is why. */
static int could_not_run(OutputFile *file, const GError *error) {
  bool no_kvm = g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM);
  const ExecResult result = {
      .outcome = no_kvm ? "no-kvm" : outcome_name(OUTCOME_HOST_ERROR),
      .exit_status = no_kvm ? EXIT_NO_KVM : OUTCOME_STATUS_HOST_ERROR,
      .message = error->message,
  };
  g_autoptr(GError) write_error = NULL;
  int status = result.exit_status;

  if (file && !exec_result_write(&result, file, &write_error)) {
    g_prefix_error(&write_error, "--result: ");
    status = complain_of(write_error, OUTCOME_STATUS_HOST_ERROR);
  }
  return complain_of(error, status);
}

/* Unpacks the container image that is to be the root, where one is, and takes over what it says of itself. */
static bool take_image(ExecOptions *options, GError **error) {
  if (!options->config->image)
    return true;
  g_autoptr(ImageConfig) image = config_take_image(options->config, image_waiting_show, error);
  return image && exec_take_image(options, image, error);
}

int cmd_exec(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  bool help = false;
  g_autoptr(ExecOptions) options = exec_options_parse(argc, argv, &help, &error);

  if (!options)
    return answer(&exec_option_set, error);
  if (!board_descriptors_suffice(options->config, &error))
    return could_not_run(NULL, error);
  g_autoptr(OutputFile) result = options->result ? output_file_open(options->result, &error) : NULL;
  if (error) {
    g_prefix_error(&error, "--result: ");
    return could_not_run(NULL, error);
  }
  complain_of_note(options->config);
  if (!take_image(options, &error))
    return could_not_run(result, error);
  uint64_t files = 0;
  g_autoptr(GBytes) initrd = options->boot_only ? NULL : exec_make_initramfs(options, &files, &error);
  if (error && g_error_matches(error, INITRAMFS_ERROR, INITRAMFS_ERROR_TAKEN))
    return complain_of(error, EXIT_USAGE);
  if (error || (initrd && !exec_check_config(options->config, initrd, files, &error)))
    return could_not_run(result, error);
  const Config *config = options->config;
  if (config_plans_only(config) && !plan(config, initrd, &error))
    return could_not_run(result, error);
  if (config->dry_run)
    return EXIT_OK;
  g_autoptr(ExecSession) session = exec_session_new(options, initrd, result, message_say, &error);
  g_clear_pointer(&initrd, g_bytes_unref); /* it is as large as the guest's root, and in the guest's memory soon */
  return session ? exec_session_run(session) : could_not_run(result, error);
}
