/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that lie about their frame (virtio 1.2, 5.1.6.2). */
#include "net-hostile.h"

#include "guest.h"
#include "text.h"

static const struct {
  Header header;
  uint32_t size; /* of the frame */
} headers[] = {
    {{.gso_type = 2}, SHORTEST},
    {{.gso_type = 0xff, .gso_size = 1}, SHORTEST},
    {{.gso_type = 1, .gso_size = 0}, SHORTEST},
    {{.gso_type = 1, .gso_size = 100}, SHORTEST},
    {{.flags = 1, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16}, 1000},
    {{.flags = 1, .gso_type = 4, .gso_size = 0xffff, .csum_start = 54, .csum_offset = 16, .hdr_len = 0xffff}, 1000},
    {{.flags = 1, .gso_type = 3, .gso_size = 100, .csum_start = 34, .csum_offset = 6}, 1000},
    {{.flags = 1, .gso_type = 5, .gso_size = 100, .csum_start = 34, .csum_offset = 6}, 1000},
    {{.flags = 1, .gso_type = 0x81, .gso_size = 100, .csum_start = 34, .csum_offset = 17}, 1000},
    {{.flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff}, SHORTEST},
    {{.flags = 1, .csum_start = SHORTEST - 1, .csum_offset = 0}, SHORTEST},
    {{.flags = 1, .csum_start = SHORTEST, .csum_offset = 0xfffe}, SHORTEST},
    {{.flags = 1, .csum_start = 0, .csum_offset = 0}, SHORTEST},
    {{.flags = 0xff, .gso_type = 0, .hdr_len = 0xffff, .gso_size = 0xffff, .num_buffers = 0xffff}, SHORTEST},
    {{.flags = 2}, SHORTEST},
    {{.hdr_len = 0xffff}, 1},
    {{.flags = 0}, 13},
};

void lie_in_headers(void) {
  unsigned n = sizeof headers / sizeof *headers, wrong = 0;

  card_start(true);
  for (unsigned i = 0; i < 2 * n; i++) {
    card_make_frame(0x88b6);
    card_out.header = headers[i % n].header;
    if (i >= n) /* and one field more */
      ((uint8_t *)&card_out.header)[hostile_random(HEADER_SIZE)] = (uint8_t)hostile_random(256);
    card_send(headers[i % n].size);
    wrong += hostile_wait(&card, TRANSMITQ) != CAME_BACK;
  }
  check(wrong == 0, "%u headers that lie: each chain comes back (%u do not)", 2 * n, wrong);
}
