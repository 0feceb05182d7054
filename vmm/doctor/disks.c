/* SPDX-License-Identifier: Apache-2.0 */
/* Disks for guests that are not raw files: by which qemu-storage-daemon. */
#include "vmm/doctor/verdict.h"

void doctor_find_disks(Doctor *doctor) {
  const HostProcess *process = &doctor->host->process;
  const Finding rows[] = {
      {"storage_daemon", "qemu-storage-daemon",
       FACT_TEXT(process->storage_daemon           ? process->storage_daemon
                 : process->storage_daemon_problem ? "missing"
                                                   : NULL),
       .meaning = process->storage_daemon ? "--disk FILE,format=qcow2 and others, --disk nbd=URI" : "raw disks alone"},
  };

  doctor_add(doctor, "disks", true, rows, G_N_ELEMENTS(rows));
}

void doctor_advise_disks(Doctor *doctor) {
  const char *problem = doctor->host->process.storage_daemon_problem;

  if (problem)
    doctor_add_advice(doctor, "qemu-storage-daemon", "%s.", problem);
}
