/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of `eret exec`: the machine with its streams, the conversation with its init, and the outcome. Main thread,
 * default main context.
 */
#pragma once

#include "vmm/base/output-file.h"
#include "vmm/base/tell.h"
#include "vmm/exec/options.h"
#include "vmm/exec/outcome.h"

typedef struct ExecSession ExecSession;

/*
 * INITRD is what exec_make_initramfs made. RESULT: of --result, or NULL. OPTIONS and RESULT must outlive the session.
 * TELL says to the user what became of the run.
 */
ExecSession *exec_session_new(const ExecOptions *options, GBytes *initrd, OutputFile *result, Tell tell, GError **error);
void exec_session_free(ExecSession *session); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExecSession, exec_session_free)

/* Runs the machine to its end; returns the exit status. */
int exec_session_run(ExecSession *session);
