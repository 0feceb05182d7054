/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a host say about it, without privileges where possible: /proc, /sys, /dev, /boot. Facts only; what
 * they mean is verdict.h's. Everything is looked for below a root directory, so that a test can hand in a tree of its
 * own. No lock: read once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/boot/firmware.h"
#include "vmm/cage/seclusion.h"

#define HOST_UNLIMITED UINT64_MAX

/* What passt(1) answers when it is asked what it can do. */
typedef enum { HOST_PASST_UNKNOWN, HOST_PASST_NONE, HOST_PASST_STREAM, HOST_PASST_VHOST_USER } HostPasst;

/* What virtiofsd(1) answers, and what this user has for it. */
typedef struct {
  bool asked, there, legacy, read_only, file_handles, subordinates;
  char *version; /* NULL: not known */
  char *problem; /* where it is not there: why, and what to do */
} HostVirtiofsd;

/* The programs that container images take. */
typedef struct {
  bool asked;
  char *skopeo, *umoci; /* their versions; NULL: not there */
  char *problem;        /* where one is not there: what to do */
} HostImages;

/* What this process is, and what it may ask the kernel and programs: nothing of it is in a file. */
typedef struct {
  char *machine; /* uname -m: "aarch64" */
  char *user;    /* its name */
  char *path;    /* where programs are looked for, as in $PATH */
  bool root;
  unsigned uid;
  uint64_t page_size;  /* bytes */
  bool userfaultfd;    /* this process may use it */
  bool filters;        /* the kernel has filters of system calls for it */
  Seclusion seclusion; /* which of the layers around a machine it could have */
  HostPasst passt;
  char *passt_problem;          /* of HOST_PASST_NONE: why, and what to do */
  char *storage_daemon;         /* qemu-storage-daemon's version; NULL: it is not there, or was not asked */
  char *storage_daemon_problem; /* where it is not there: why, and what to do */
  HostVirtiofsd virtiofsd;
  HostImages images;
} HostProcess;

/* CPUs of one kind: the same part by MIDR_EL1, of whatever revision. */
typedef struct {
  uint64_t midr; /* of the first */
  char *name;    /* "Cortex-A72"; the numbers where the part is not known */
  unsigned count;
  char *cpus; /* "0-3,6", as taskset -c takes it */
} HostCluster;

/* A size of huge pages, and how many are reserved. */
typedef struct {
  uint64_t size; /* bytes */
  uint64_t total, free;
} HostHugePages;

/* A driver of the kernel's: that it cannot be had is known only where the kernel's list of modules is there. */
typedef enum { HOST_DRIVER_UNKNOWN, HOST_DRIVER_MISSING, HOST_DRIVER_LOADABLE, HOST_DRIVER_LOADED } HostDriver;

/* A device in /dev. */
typedef struct {
  bool there;
  bool usable;   /* this process may read and write it */
  unsigned mode; /* permission bits */
  char *group;   /* who owns it, a name; the number where it has none */
  bool member;   /* the user is one, whether or not this process has it yet */
  HostDriver driver;
} HostNode;

/* What networks for guests are made of. */
typedef struct {
  HostNode tun, vhost_net, vhost_vsock;
  HostDriver macvtap;
  bool net_admin;       /* this process may make network devices: CAP_NET_ADMIN */
  GPtrArray *taps;      /* of char *: those there are, that this user may use */
  GPtrArray *macvtaps;  /* the same */
  bool kvm_group_known; /* there is a group "kvm" */
  bool kvm_member;      /* the user is in it */
} HostNetwork;

/* What the kernel's configuration says about KVM. */
typedef enum { KERNEL_CONFIG_UNKNOWN, KERNEL_CONFIG_OFF, KERNEL_CONFIG_ON } KernelConfig;

typedef struct {
  HostProcess process;

  /* The machine. Texts are NULL where not known. */
  char *kernel;       /* uname -r */
  char *model;        /* "Raspberry Pi 4 Model B Rev 1.4", "QEMU QEMU Virtual Machine" */
  char *vendor;       /* DMI sys_vendor */
  char *hypervisor;   /* the device tree's /hypervisor: "xen,xen" */
  char *psci_conduit; /* "hvc": Linux runs at EL1 under somebody; "smc" */
  char *container;    /* "docker", "podman", "lxc" ... */
  uint64_t memory_total, memory_available;
  GPtrArray *clusters; /* of HostCluster * */
  unsigned online_cpus;

  /* How Linux runs on it. */
  char *gic;            /* as /proc/interrupts names it: "GICv3", "GICv2", "AIC" */
  unsigned timer_intid; /* which timer the host uses itself: 26, 28 EL2's (VHE), 30 EL1's physical (nVHE), 27 virtual (EL1); 0: not known */
  char *kvm_mode;       /* kvm-arm.mode= of the command line */
  bool kernel_log_readable;  /* else the two below are unknown */
  GPtrArray *kvm_log;        /* of char *: what KVM wrote to the kernel's log */
  unsigned started_at_level; /* the exception level that the CPUs started at; 0: not known */
  KernelConfig config_kvm;

  /* /dev/kvm. */
  bool kvm_registered; /* /proc/misc has it: KVM runs */
  bool kvm_node;
  unsigned kvm_node_mode; /* permission bits */
  char *kvm_group;        /* who owns it, a name; the number where it has none */
  bool user_in_group;     /* the user is a member, whether or not this process has it yet */

  /* Memory's kinds. */
  char *thp;             /* "always", "madvise", "never" */
  uint64_t thp_size;     /* bytes; 0: not known */
  GPtrArray *huge_pages; /* of HostHugePages * */

  /* Limits of this process; HOST_UNLIMITED. */
  uint64_t memlock, nofile;            /* bytes; descriptors */
  uint64_t cgroup_memory, cgroup_pids; /* bytes; tasks */
  double cgroup_cpus;                  /* 0: unlimited */

  HostNetwork network;

  const KnownFirmware *uefi, *u_boot; /* that it has, for guests; NULL: none */

  bool tracefs;         /* KVM's tracepoints can be read */
  GHashTable *programs; /* name -> path, of those that are there */
} HostFacts;

/* The facts below ROOT ("/"). Takes what is in PROCESS. Never NULL: what cannot be read is not known. */
HostFacts *host_facts_read(const char *root, HostProcess process);
void host_facts_free(HostFacts *facts); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostFacts, host_facts_free)

/* This process. */
HostProcess host_process_read(void);

/* The parts of host_facts_read, a file each. */
void host_cpus_read(HostFacts *facts, const char *root);
void host_kvm_read(HostFacts *facts, const char *root);
void host_limits_read(HostFacts *facts, const char *root);
void host_network_read(HostFacts *facts, const char *root);
void host_network_clear(HostNetwork *network);
/* A file below ROOT, without the blanks at its end; NULL: cannot be read. Free with g_free. */
char *host_read_text(const char *root, const char *path);
/*
 * The name of group NUMBER, or the number where it has none, free with g_free; *MEMBER: the user is in it. By
 * /etc/group.
 */
char *host_group_name(const HostFacts *facts, const char *root, unsigned number, bool *member);
/* The whole number in such a file, or FALLBACK. */
uint64_t host_read_number(const char *root, const char *path, uint64_t fallback);
