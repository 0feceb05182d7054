/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of eret: main.c has their table. Each prints and returns the process's exit status. */
#pragma once

#include "vmm/options/option.h"

/* Exit statuses; docs/eret.1 documents them. */
enum {
  EXIT_OK = 0,          /* the guest powered off, or the command did its work */
  EXIT_HOST = 1,        /* the host refused something */
  EXIT_FAILED = 1,      /* eret test: not everything passed */
  EXIT_USAGE = 2,       /* flags or configuration */
  EXIT_GUEST_RESET = 3, /* the guest rebooted under --no-reboot */
  EXIT_STOPPED = 4,     /* by the user: Ctrl-A x, or a second signal, or the grace period's end */
  EXIT_GUEST_ERROR = 5, /* the guest did what eret cannot handle */
  EXIT_NO_KVM = 77,     /* the host cannot run guests (the status that test harnesses take for "skipped") */
};

/* ARGV holds what follows the command's name. */
int cmd_run(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_jail(int argc, char **argv);
int cmd_cpu(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_ssh(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* The options of the commands that have them here. */
extern const OptionSet doctor_option_set, trace_option_set, cpu_dump_option_set, cpu_diff_option_set, ps_option_set, stop_option_set,
    attach_option_set, ssh_option_set, jail_option_set;
