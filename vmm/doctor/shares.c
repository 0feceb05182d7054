/* SPDX-License-Identifier: Apache-2.0 */
/* Directories for guests: by which virtiofsd, what that one lacks, and whose files are whose. */
#include "vmm/doctor/verdict.h"

static const char *meaning_of(const HostVirtiofsd *virtiofsd) {
  if (!virtiofsd->there)
    return "no --share, and --rootfs DIR is packed into memory";
  return virtiofsd->legacy ? "--share DIR, --rootfs DIR: an older one, which lacks some of it" : "--share DIR, --rootfs DIR";
}

static const char *users_meaning(const Doctor *doctor) {
  if (doctor->host->process.root)
    return "and need none: the guest's users are who has the same number";
  return "a guest's users other than root are this user, too";
}

void doctor_find_shares(Doctor *doctor) {
  const HostProcess *process = &doctor->host->process;
  const HostVirtiofsd *virtiofsd = &process->virtiofsd;
  const char *version = virtiofsd->there ? virtiofsd->version ? virtiofsd->version : "of no known version" : "missing";
  bool served = virtiofsd->asked && virtiofsd->there;
  const Finding rows[] = {
      {"virtiofsd", "virtiofsd", FACT_TEXT(virtiofsd->asked ? version : NULL), .meaning = meaning_of(virtiofsd)},
      {"read_only_by", "read-only by",
       FACT_TEXT(!served                ? NULL
                 : virtiofsd->read_only ? "virtiofsd"
                                        : "a mount"),
       .meaning = virtiofsd->read_only ? NULL : "that it cannot write; --share DIR,ro"},
      {"file_handles", "files found by handles", .kind = served ? VALUE_BOOL : VALUE_UNKNOWN,
       .number = virtiofsd->file_handles && process->root, .meaning = "guests may know any number of files",
       .otherwise = "each that a guest knows is an open one here: the hard limit of these counts"},
      {"subordinate_ids", "subordinate users and groups", .kind = served ? VALUE_BOOL : VALUE_UNKNOWN, .number = virtiofsd->subordinates,
       .meaning = "a guest's users other than root are these", .otherwise = users_meaning(doctor)},
  };

  doctor_add(doctor, "shares", true, rows, G_N_ELEMENTS(rows));
}

void doctor_advise_shares(Doctor *doctor) {
  const HostProcess *process = &doctor->host->process;
  const HostVirtiofsd *virtiofsd = &process->virtiofsd;

  if (virtiofsd->problem)
    doctor_add_advice(doctor, "virtiofsd", "%s.", virtiofsd->problem);
  else if (virtiofsd->legacy)
    doctor_add_advice(
        doctor, "virtiofsd",
        "the virtiofsd of QEMU 7 has each file open that a guest knows, knows no uid-map=, squash or cache=metadata, and keeps a "
        "guest from writing by a mount alone; Debian 13's package virtiofsd lacks nothing.");
  if (virtiofsd->there && !virtiofsd->legacy && !virtiofsd->subordinates && !process->root)
    doctor_add_advice(doctor, "subordinate_ids",
                      "for a guest's users to be kept apart in shared directories: sudo usermod --add-subuids 100000-165535 --add-subgids "
                      "100000-165535 %s, and newuidmap (Debian: uidmap).",
                      process->user ? process->user : "$USER");
}
