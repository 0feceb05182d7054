/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. What is not here, no thread of these kinds may do: open or name a file, start a program, look at another
 * process, make a virtual machine, map code.
 *
 * Calls of the C library and of GLib: malloc maps and unmaps, a lock is a futex, a thread's end gives its stack back;
 * newer C libraries ask for more of the same by madvise.
 */
#define _GNU_SOURCE /* CLONE_THREAD, SCHED_BATCH */
#include "vmm/cage/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"

#define BOTH            (CAGE_VCPU | CAGE_DEVICE)
#define CALLS_OR_DEVICE (CAGE_CALLS | CAGE_DEVICE)
#define FLASH_OR_DEVICE (CAGE_FLASH | CAGE_DEVICE)

#define CALL_FAILS(NAME, THREADS, TEST, ARGUMENT, VALUE, ERRNO, WHY)                                                                       \
  { SYS_##NAME, THREADS, TEST, ARGUMENT, (uint32_t)(VALUE), WHY, ERRNO }
#define CALL(NAME, THREADS, TEST, ARGUMENT, VALUE, WHY) CALL_FAILS(NAME, THREADS, TEST, ARGUMENT, VALUE, 0, WHY)
#define IOCTL(THREADS, REQUEST, WHY)                    CALL(ioctl, THREADS, CAGE_EQUAL, 1, REQUEST, WHY)

#define REQUEST_TCGETS2 0x802c542a /* its type is in no header that a program can include */

/* What a thread of the process is made with, and no child of it is. */
#define A_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

const CageRule cage_rules[] = {
    IOCTL(CAGE_VCPU, KVM_RUN, "what the thread is for"),
    IOCTL(CAGE_VCPU, KVM_GET_ONE_REG, "a hypercall's arguments"),
    IOCTL(CAGE_VCPU, KVM_SET_ONE_REG, "its results"),
    IOCTL(BOTH, KVM_IRQ_LINE, "a device's interrupt, by wire"),
    IOCTL(CAGE_VCPU, KVM_SET_MP_STATE, "PSCI turns a CPU off, or has it wait"),
    IOCTL(CAGE_VCPU, KVM_SET_VCPU_EVENTS, "an external abort, for an access to nothing"),
#ifdef __aarch64__
    IOCTL(CAGE_VCPU, KVM_ARM_PREFERRED_TARGET, "PSCI turns a CPU on"),
    IOCTL(CAGE_VCPU, KVM_ARM_VCPU_INIT, "PSCI turns a CPU on"),
#endif
    IOCTL(CAGE_VCPU, KVM_SET_GSI_ROUTING, "the guest sets an MSI-X vector up"),
    IOCTL(CAGE_VCPU, KVM_IRQFD, "the guest sets an MSI-X vector up"),
    IOCTL(CAGE_VCPU, KVM_IOEVENTFD, "the guest moves a BAR with doorbells"),
    IOCTL(CAGE_VCPU, KVM_SET_USER_MEMORY_REGION, "the guest moves a BAR that it reads as memory"),
    IOCTL(CAGE_VCPU, KVM_REGISTER_COALESCED_MMIO, "the guest moves a BAR whose writes can wait"),
    IOCTL(CAGE_VCPU, KVM_UNREGISTER_COALESCED_MMIO, "the guest moves a BAR whose writes can wait"),
    IOCTL(CAGE_MAIN, KVM_CREATE_VM, "the next boot's"),
    IOCTL(CAGE_MAIN, KVM_CHECK_EXTENSION, "what the host's KVM can"),
    IOCTL(CAGE_MAIN, KVM_ENABLE_CAP, "the VM is made"),
    IOCTL(CAGE_MAIN, KVM_GET_VCPU_MMAP_SIZE, "the VM is made"),
    IOCTL(CAGE_MAIN, KVM_CREATE_VCPU, "the VM is made"),
    IOCTL(CAGE_MAIN, KVM_CREATE_DEVICE, "its interrupt controller"),
    IOCTL(CAGE_MAIN, KVM_SET_DEVICE_ATTR, "its interrupt controller"),
    IOCTL(CAGE_MAIN, KVM_HAS_DEVICE_ATTR, "what that can"),
    IOCTL(CAGE_MAIN, KVM_GET_STATS_FD, "KVM's counts"),
#ifdef __aarch64__
    IOCTL(CAGE_MAIN, KVM_ARM_VCPU_FINALIZE, "vectors of its CPUs"),
    IOCTL(CAGE_MAIN, KVM_ARM_GET_REG_WRITABLE_MASKS, "what its CPUs are to be"),
    IOCTL(CAGE_MAIN, KVM_ARM_SET_COUNTER_OFFSET, "its counter stands still while it is paused"),
#endif
    IOCTL(CAGE_DEVICE, BLKDISCARD, "what the guest gives back of a disk"),
    IOCTL(CAGE_DEVICE, BLKZEROOUT, "zeros on a disk"),
    IOCTL(CAGE_DEVICE, TUNSETOFFLOAD, "what the guest's network driver leaves to the host"),
    IOCTL(CAGE_DEVICE, TUNSETQUEUE, "how many queue pairs the guest uses"),
    IOCTL(CAGE_DEVICE, VHOST_GET_FEATURES, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_FEATURES, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_OWNER, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_MEM_TABLE, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_NUM, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_BASE, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_GET_VRING_BASE, "queues come back from the kernel"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_ADDR, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_KICK, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_CALL, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_SET_VRING_ERR, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_NET_SET_BACKEND, "queues come into the kernel's service, or back"),
    IOCTL(CAGE_DEVICE, VHOST_VSOCK_SET_GUEST_CID, "queues come into the kernel's service"),
    IOCTL(CAGE_DEVICE, VHOST_VSOCK_SET_RUNNING, "queues come into the kernel's service, or back"),
    IOCTL(CAGE_MAIN, TIOCGWINSZ, "the terminal's size"),
    IOCTL(CAGE_MAIN, TCSETS, "the terminal is given back"),
    IOCTL(CAGE_MAIN, TCSETSW, "the terminal is given back"),
    IOCTL(CAGE_MAIN, TCSETSF, "the terminal is given back"),
    IOCTL(BOTH, TCGETS, "whether standard error is a terminal"),
    IOCTL(BOTH, REQUEST_TCGETS2, "the same of a newer C library"),
    CALL(write, CAGE_MAIN, CAGE_ANY, 0, 0, "the terminal, reports, events"),
    CALL(write, CAGE_VCPU, CAGE_EQUAL_LONG, 2, 8, "an event: a doorbell, an interrupt"),
    CALL(write, CAGE_VCPU, CAGE_EQUAL, 0, STDERR_FILENO, "what there is to say of the guest"),
    CALL(write, CAGE_DEVICE, CAGE_ANY, 0, 0, "events, and what the device is connected to"),
    CALL(read, CAGE_MAIN, CAGE_ANY, 0, 0, "the terminal, signals, events"),
    CALL(read, CAGE_VCPU, CAGE_EQUAL_LONG, 2, 8, "an event is taken back"),
    CALL(read, CAGE_DEVICE, CAGE_ANY, 0, 0, "events, and what the device is connected to"),
    CALL(futex, BOTH, CAGE_ANY, 0, 0, "locks"),
    CALL(ppoll, BOTH, CAGE_ANY, 0, 0, "a device's wait; whether standard error takes a message"),
    CALL(clock_gettime, BOTH, CAGE_ANY, 0, 0, "the time, where the kernel does not let user space read it"),
    CALL(getpid, CAGE_DEVICE, CAGE_ANY, 0, 0, "GLib 2.84 wakes the main loop, and notes who does"),
    CALL_FAILS(getpid, CAGE_VCPU, CAGE_ANY, 0, 0, EPERM, "it can do without"),
    CALL(gettid, CAGE_DEVICE, CAGE_ANY, 0, 0, "GLib 2.84 wakes the main loop, and notes who does"),
    CALL_FAILS(gettid, CAGE_VCPU, CAGE_ANY, 0, 0, EPERM, "it can do without"),
    CALL(eventfd2, BOTH, CAGE_ANY, 0, 0, "the guest sets an MSI-X vector up"),

    CALL(rt_sigreturn, BOTH, CAGE_ANY, 0, 0, "behind the signal that makes a vCPU leave KVM_RUN"),
    CALL(tgkill, BOTH, CAGE_OWN, 0, 0, "that signal, for another vCPU; tells the main thread of a call that this table has not"),
    CALL(mmap, BOTH, CAGE_WITHOUT, 2, PROT_EXEC, "memory"),
    CALL(mprotect, BOTH, CAGE_WITHOUT, 2, PROT_EXEC, "memory"),
    CALL(munmap, BOTH, CAGE_ANY, 0, 0, "memory"),
    CALL(mremap, CAGE_DEVICE, CAGE_ANY, 0, 0, "memory"),
    CALL_FAILS(mremap, CAGE_VCPU, CAGE_ANY, 0, 0, ENOMEM, "memory: what grows is copied instead"),
    CALL(madvise, CAGE_DEVICE, CAGE_ANY, 0, 0, "memory"),
    CALL_FAILS(madvise, CAGE_VCPU, CAGE_ANY, 0, 0, EINVAL, "memory: a wish, as of kernels that know it not"),
    CALL(brk, BOTH, CAGE_ANY, 0, 0, "memory"),
    CALL(sched_getaffinity, CAGE_MAIN, CAGE_ANY, 0, 0, "where threads run"),
    CALL(sched_getaffinity, CAGE_DEVICE, CAGE_EQUAL, 0, 0, "memory: malloc asks how many CPUs there are, when there are many threads"),
    CALL_FAILS(sched_getaffinity, CAGE_VCPU, CAGE_EQUAL, 0, 0, EPERM, "memory: it takes two, then"),
    CALL(exit, BOTH, CAGE_ANY, 0, 0, "the thread's end"),
    CALL(rt_sigprocmask, CAGE_DEVICE, CAGE_ANY, 0, 0, "the thread's end, and threads that it makes"),
    CALL_FAILS(rt_sigprocmask, CAGE_VCPU, CAGE_ANY, 0, 0, EPERM, "the thread's end: its signals find it until then"),

    CALL_FAILS(clone3, CAGE_DEVICE, CAGE_ANY, 0, 0, ENOSYS, "its flags are in memory, where nobody looks: the C library takes clone"),
    CALL(clone, CAGE_DEVICE, CAGE_WITH, 0, A_THREAD, "threads that read and write a disk"),
    CALL(set_robust_list, CAGE_DEVICE, CAGE_ANY, 0, 0, "their beginning"),
    CALL(rseq, CAGE_DEVICE, CAGE_ANY, 0, 0, "their beginning"),
    CALL(prctl, CAGE_DEVICE, CAGE_EQUAL, 0, PR_SET_NAME, "their names"),
    CALL(prctl, CAGE_MAIN, CAGE_EQUAL, 0, PR_SET_NAME, "names of threads"),
    CALL(prctl, CAGE_MAIN, CAGE_EQUAL, 0, PR_GET_NAME, "a thread goes into its own filter"),
    CALL(prctl, CAGE_MAIN, CAGE_EQUAL, 0, PR_SET_NO_NEW_PRIVS, "a thread goes into its own filter"),
    CALL(prctl, CAGE_MAIN, CAGE_EQUAL, 0, PR_SET_SECCOMP, "a thread goes into its own filter"),

    CALL(sched_getscheduler, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk's thread is in a hurry, or not"),
    CALL(sched_setscheduler, CAGE_DEVICE, CAGE_EQUAL, 1, SCHED_OTHER, "a disk's thread is in a hurry, or not"),
    CALL(sched_setscheduler, CAGE_DEVICE, CAGE_EQUAL, 1, SCHED_BATCH, "a disk's thread is in a hurry, or not"),

    CALL(io_uring_enter, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(preadv, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(preadv2, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(pwritev, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(pwritev2, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(pread64, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(pwrite64, FLASH_OR_DEVICE, CAGE_ANY, 0, 0, "a disk, or flash"),
    CALL(fdatasync, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk"),
    CALL(fallocate, FLASH_OR_DEVICE, CAGE_ANY, 0, 0, "a disk, or flash"),
    CALL(ftruncate, FLASH_OR_DEVICE, CAGE_ANY, 0, 0, "a disk's temporary file, or flash"),
    CALL(fstat, CAGE_DEVICE, CAGE_ANY, 0, 0, "a disk's size"),
    CALL(getrandom, CAGE_DEVICE, CAGE_ANY, 0, 0, "the entropy source"),
    CALL(readv, CAGE_DEVICE, CAGE_ANY, 0, 0, "a tap"),
    CALL(writev, CAGE_DEVICE, CAGE_ANY, 0, 0, "a tap"),

    CALL(socket, CALLS_OR_DEVICE, CAGE_EQUAL, 0, AF_UNIX,
         "a hypercall server; vsock: who listens at the host's ends; vhost-user: a server that has come back"),
    CALL(connect, CALLS_OR_DEVICE, CAGE_ANY, 0, 0,
         "a hypercall server; vsock: who listens at the host's ends; vhost-user: a server that has come back"),
    CALL(accept4, CAGE_DEVICE, CAGE_ANY, 0, 0, "vsock: who comes to the host's end"),
    CALL(shutdown, BOTH, CAGE_ANY, 0, 0, "vsock: a stream with one end; all of them, when the guest resets it"),
    CALL(sendmsg, CAGE_DEVICE, CAGE_ANY, 0, 0, "vsock, vhost-user, a network by a socket"),
    CALL(recvmsg, CAGE_DEVICE, CAGE_ANY, 0, 0, "vsock, vhost-user, a network by a socket"),
    CALL(sendto, CALLS_OR_DEVICE, CAGE_ANY, 0, 0, "vsock, vhost-user, a network by a socket"),
    CALL(recvfrom, CALLS_OR_DEVICE, CAGE_ANY, 0, 0, "vsock, vhost-user, a network by a socket"),
    CALL(socketpair, CAGE_DEVICE, CAGE_EQUAL, 0, AF_UNIX, "vhost-user: a server's own channel to us"),
    CALL(getsockopt, CAGE_DEVICE, CAGE_ANY, 0, 0, "whether a connection has come about"),
    CALL(fcntl, CAGE_FILES, CAGE_EQUAL, 1, F_DUPFD_CLOEXEC, "the way down to what is copied out"),
    CALL(fcntl, CAGE_DEVICE, CAGE_EQUAL, 1, F_GETFL, "connections that do not block"),
    CALL(fcntl, CAGE_DEVICE, CAGE_EQUAL, 1, F_SETFL, "connections that do not block"),
    CALL(fcntl, CAGE_DEVICE, CAGE_EQUAL, 1, F_ADD_SEALS, "vhost-user: what is in flight keeps its size"),
    CALL(close, BOTH, CAGE_ANY, 0, 0, "connections that are over, by a guest's reset too"),
    CALL(epoll_ctl, CAGE_DEVICE, CAGE_ANY, 0, 0, "vsock: which connections have something"),
    CALL(epoll_pwait, CAGE_DEVICE, CAGE_ANY, 0, 0, "vsock: which connections have something"),
    CALL(timerfd_settime, CAGE_DEVICE, CAGE_ANY, 0, 0, "connections that nobody takes"),
    CALL(memfd_create, CAGE_DEVICE, CAGE_ANY, 0, 0, "vhost-user: what is in flight, for the next server"),
    CALL(clock_nanosleep, BOTH, CAGE_ANY, 0, 0, "before a server, the kernel, or the reader of a hypercall's text is tried again"),

    CALL(openat, CAGE_FILES, CAGE_ANY, 0, 0, "reports, what is copied out, what others are told of the machine"),
    CALL(openat, CAGE_VSOCK, CAGE_EQUAL, 2, O_RDWR | O_CLOEXEC, "/dev/vhost-vsock, once more"),
    CALL(openat, CAGE_MEETINGS, CAGE_EQUAL, 2, O_RDONLY | O_DIRECTORY | O_CLOEXEC, "the directory of the socket, to lock it"),
    CALL_FAILS(openat, BOTH, CAGE_EQUAL, 2, O_RDONLY | O_CLOEXEC, EACCES,
               "/proc/sys/vm/overcommit_memory, /sys/devices/system/cpu/online: malloc can do without"),
    CALL(flock, CAGE_MEETINGS | CAGE_FILES, CAGE_ANY, 0, 0, "the directory of a socket, to lock it"),
    CALL(newfstatat, CAGE_FILES, CAGE_ANY, 0, 0, "what is there already"),
    CALL(newfstatat, CAGE_DEVICE, CAGE_EQUAL, 3, AT_EMPTY_PATH, "fstat of a C library from 2.33 on"),
    CALL(newfstatat, CAGE_MEETINGS, CAGE_ANY, 0, 0, "whether it is a socket"),
    CALL(unlinkat, CAGE_MEETINGS | CAGE_FILES, CAGE_ANY, 0, 0, "a socket that nobody is at any more; a file that is replaced"),
    CALL(faccessat, CAGE_FILES, CAGE_ANY, 0, 0, "what is there already"),
    CALL(readlinkat, CAGE_FILES, CAGE_ANY, 0, 0, "what is there already"),
    CALL(mkdirat, CAGE_FILES, CAGE_ANY, 0, 0, "directories that are copied out"),
    CALL(symlinkat, CAGE_FILES, CAGE_ANY, 0, 0, "links that are copied out"),
    CALL(renameat, CAGE_FILES, CAGE_ANY, 0, 0, "a file is put in its place, whole"),
    CALL(fchmod, CAGE_FILES, CAGE_ANY, 0, 0, "as the file that it replaces was"),
    CALL(fchown, CAGE_FILES, CAGE_ANY, 0, 0, "as the file that it replaces was"),
    CALL(fsync, CAGE_FILES, CAGE_ANY, 0, 0, "a file is put in its place, whole"),
    CALL(wait4, CAGE_MAIN, CAGE_ANY, 0, 0, "the end of helpers, and of who starts them again"),
    CALL(uname, CAGE_MAIN, CAGE_ANY, 0, 0, "for a recording"),
    CALL(bind, CAGE_MEETINGS, CAGE_ANY, 0, 0, "the next socket"),
    CALL(listen, CAGE_MEETINGS, CAGE_ANY, 0, 0, "the next socket"),

    CALL(exit_group, CAGE_MAIN, CAGE_ANY, 0, 0, "the end"),
    CALL(rt_sigaction, CAGE_MAIN, CAGE_ANY, 0, 0, "signals of the terminal, and of vCPUs"),
    CALL(signalfd4, CAGE_MAIN, CAGE_ANY, 0, 0, "signals of the terminal"),
    CALL(rt_sigtimedwait, CAGE_MAIN, CAGE_ANY, 0, 0, "who reads a report has gone"),
    CALL(sched_setaffinity, CAGE_MAIN, CAGE_ANY, 0, 0, "where threads run"),
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    CALL(sigaltstack, BOTH, CAGE_ANY, 0, 0, "the sanitizers' own, at the thread's end"),
#endif
};
const unsigned cage_rules_count = sizeof cage_rules / sizeof *cage_rules;
