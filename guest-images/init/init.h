/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process in a guest of `eret exec`: it makes the kernel fit to work in, runs one command with its streams
 * led to the host, says how it ended, and powers off. docs/exec-protocol.md describes what host and init say to each
 * other. In a guest of `eret run` with a root it makes way for that one's own first process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the host asks for: /eret/spec. Lists end with NULL. */
typedef struct {
  char **arguments, **environment, **copy_out;
  char **copy_in; /* where what lies in /eret/in/N belongs in the root */
  char **drivers; /* "2 virtio_blk": each virtio device of this type has to have a driver, this one */
  char **nets;    /* how each network card is set up: "dhcp" */
  char **shares;  /* "ro TAG PLACE": where each directory of the host's is mounted */
  const char *directory;
  const char *makes_directory; /* where it is not there; NULL: it has to be */
  const char *user;            /* "USER[:GROUP]"; NULL: root, as init is */
  const char *door;            /* the command runs on the console, and its status is told at this address; "": nowhere */
  const char *root;            /* "/newroot", a directory; /dev/vda; or a tag, where the type is virtiofs; NULL: the initramfs */
  const char *root_type;       /* of a block device: "ext4"; of a directory of the host's: "virtiofs" */
  const char *root_mode;       /* "rw": what is written to it is there, and in no overlay */
  const char *boot;            /* the root's own first process takes over: there is no command, and nobody to speak to */
} Spec;

/* Ports of the virtio console, by name: descriptors, or -1. */
typedef struct {
  int control, in, out, err, files;
} Ports;

/* control.c */
extern int control_fd;
void control_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* On the kernel's console, in case nobody can be reached otherwise; there control_say is heard, too, without a port. */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Next whole line from the host in LINE, without its end; false when there is none yet (WAIT: when there will be none).
 */
bool control_read(char *line, size_t size, bool wait);
/* Answers LINE, if it is a question of the host's; false: it is none. */
bool control_answer(const char *line);
_Noreturn void power_off(void);

/* system.c */
bool read_spec(Spec *spec, const char *path);
void mount_basics(void);
void load_modules(const char *directory);
bool find_ports(Ports *ports);
void prepare_initramfs(void);
void survive_oom(void);
/* False, and the host is told, when a device that was asked for has no driver. */
bool find_drivers(const Spec *spec);
/* The text of a small file in a directory of sysfs, or NULL; free it. */
char *attribute(const char *directory, const char *device, const char *name);
/* Tells the host what is missing, and is false. One %s in FORMAT. */
bool refuse(const char *format, const char *what);
void mount_at(const char *type, const char *path, unsigned long flags, const char *data);
void mount_tmp(void);
unsigned long oom_kills(void);
/* What the kernel says of itself: /proc/sys/kernel/tainted. False: nothing. */
bool kernel_taint(unsigned long *taint);
bool write_all(int fd, const void *bytes, size_t size);

/* root.c: false, and the host is told, when the root cannot be had. */
bool enter_root(const Spec *spec);
/* Becomes the root's own first process, as the kernel would start it; returns where there is none. */
void boot_root(char **argv);

/*
 * copy-in.c: moves what is to go into the root ROOT there, or into the layer INTO above it. False, and the host is
 * told, when something does not fit there. INTO may be ROOT, the same string.
 */
bool lay_files(const Spec *spec, const char *root, const char *into);

/* share.c: false, and the host is told, when one cannot be mounted. */
bool mount_shares(const Spec *spec);

/* net.c: what cannot be set up is told to the host. */
void set_up_network(const Spec *spec);

/* user.c by the root's own files: false, and the host is told, when there is no such user. */
bool find_user(const Spec *spec);
/* PATH with those above it. What is wrong with it, who uses it will see. */
void make_directories(const char *path);

/* What could not be done in the command's own process, with errno. */
typedef enum { COMMAND_DIRECTORY, COMMAND_USER, COMMAND_PROGRAM } CommandStep;
/*
 * start.c: the command's process, with its streams, becomes the command; returns where it cannot. Then the text says
 * what could not be, of that step.
 */
CommandStep become_command(const Spec *spec);
const char *command_step_text(const Spec *spec, CommandStep step);

/* button.c: the power button, a descriptor to be polled; -1: there is none that is this one's. */
int open_button(void);
/* Whether it has been pressed since; does not wait. */
bool button_pressed(int fd);

/* console.c: runs the command on the console, unless it cannot be, tells how it ended, and ends the machine. */
_Noreturn void run_on_console(const Spec *spec, bool can_run);

/* command.c: runs it, unless it cannot be, says how it ended, and closes its ports. */
void run_command(const Spec *spec, const Ports *ports, bool can_run);

/* copy-out.c: what was asked for, if anything; closes the port. */
void send_files(const Spec *spec, int fd);
