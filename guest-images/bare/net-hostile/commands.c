/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are too short, too long or unknown (virtio 1.2, 5.1.6.5). */
#include "net-hostile.h"

#include "guest.h"
#include "text.h"

#define ANSWER_AT 8192 /* in the playground */
#define ANY       2

typedef struct {
  const char *name;
  uint32_t size; /* bytes of COMMAND, and as many zeros more */
  uint8_t command[16];
  uint8_t answer; /* 0 or 1: 5.1.6.5 */
} Command;

static const Command commands[] = {
    {"nothing but half a command", 1, {0}, 1},
    {"promiscuous mode without a value", 2, {0, 0}, 1},
    {"promiscuous mode with too much", 4, {0, 0, 1, 1}, 1},
    {"promiscuous mode", 3, {0, 0, 1}, 0},
    {"a mode that nobody knows", 3, {0, 99, 1}, 1},
    {"VLANs, which were not offered", 4, {2, 0, 1, 0}, 1},
    {"a class that nobody knows", 3, {77, 0, 1}, 1},
    {"the last class", 3, {255, 255, 1}, 1},
    {"tables without any", 2, {1, 0}, 1},
    {"a table of 4 billion addresses", 10, {1, 0, 0xff, 0xff, 0xff, 0xff}, 1},
    {"a table of one address and a half", 15, {1, 0, 2}, 1},
    {"one table and no other", 12, {1, 0, 1}, 1},
    {"a table whose size overflows", 10, {1, 0, 0xab, 0xaa, 0xaa, 0x2a}, 1},
    {"two empty tables", 10, {1, 0}, 0},
    {"two empty tables, and more", 11, {1, 0}, 1},
    {"a table of 600 addresses", 2 + 4 + 600 * 6 + 4, {1, 0, 0x58, 2}, 0},
    {"half an address", 5, {1, 1, 2, 0, 0}, 1},
    {"an address and more", 9, {1, 1, 2}, 1},
    {"no pairs", 4, {4, 0, 0, 0}, 1},
    {"65,535 pairs", 4, {4, 0, 0xff, 0xff}, 1},
    {"9 pairs", 4, {4, 0, 9, 0}, 1},
    {"half a number of pairs", 3, {4, 0, 1}, 1},
    {"hashing of pairs, which was not offered", 4, {4, 1, 1, 0}, 1},
    {"offloads that nobody knows", 10, {5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1},
    {"half of the offloads", 6, {5, 0}, 1},
    {"two pairs", 4, {4, 0, 2, 0}, ANY},
    {"one pair", 4, {4, 0, 1, 0}, ANY},
};

static void command_once(const Command *command, unsigned *wrong) {
  VirtioQueue *queue = &card.queues[card_controlq];

  memset(playground, 0, command->size);
  memcpy(playground, command->command, command->size < sizeof command->command ? command->size : sizeof command->command);
  playground[ANSWER_AT] = 0xee;
  /* In the middle of traffic. */
  card_make_request();
  card_send(SHORTEST);
  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, 1, VIRTIO_NEXT, 1};
  queue->descriptors[1] = (VirtioDescriptor){(uint64_t)playground + 1, command->size - 1, VIRTIO_NEXT, 2};
  queue->descriptors[2] = (VirtioDescriptor){(uint64_t)(playground + ANSWER_AT), 1, VIRTIO_WRITE, 0};
  if (command->size == 1)
    queue->descriptors[0].next = 2;
  virtio_offer(queue, 0);
  virtio_ring(queue, card_controlq);
  HostileAnswer answer = hostile_wait(&card, card_controlq);
  uint8_t got = *(volatile uint8_t *)(playground + ANSWER_AT);
  if (answer == CAME_BACK && (got == command->answer || (command->answer == ANY && got < ANY)))
    return;
  ++*wrong;
  print("# %s: answer %u, and should be %u\n", command->name, got, command->answer);
}

void command(void) {
  unsigned n = sizeof commands / sizeof *commands, wrong = 0;
  const uint64_t at = (uint64_t)playground;
  const VirtioDescriptor no_answer[] = {{at, 3, 0, 0}};
  const VirtioDescriptor no_command[] = {{at, 3, VIRTIO_WRITE, 0}};

  card_start(true);
  if (!(card_features & F_CTRL_VQ)) {
    check_skipped("commands", "this card takes none");
    return;
  }
  for (unsigned i = 0; i < n; i++)
    command_once(&commands[i], &wrong);
  check(wrong == 0, "%u commands amid traffic are answered as they should be (%u are not)", n, wrong);
  offer_odd("a command without room for an answer", card_controlq, no_answer, 1);
  offer_odd("an answer without a command", card_controlq, no_command, 1);
  break_chains("the control queue", card_controlq);
}
