/* SPDX-License-Identifier: Apache-2.0 */
/* The identification registers are those of each TRM, such as DDI 0183, 3.3. No lock: nothing here changes. */
#include "devices/primecell.h"

#define PERIPH_ID0 0xfe0 /* to PeriphID3 */
#define PCELL_ID0  0xff0 /* to PCellID3 */
#define PCELL_ID   0xb105f00du
#define PERIPHID   "arm,primecell-periphid" /* with it Linux does not read the registers; binding: arm/primecell.yaml */

void primecell_init_page(RegisterPage *page, uint32_t periph_id) {
  register_page_init(page, PRIMECELL_SIZE);
  for (unsigned i = 0; i < 4; i++) {
    register_page_set(page, PERIPH_ID0 + 4 * i, 4, periph_id >> 8 * i & 0xff);
    register_page_set(page, PCELL_ID0 + 4 * i, 4, PCELL_ID >> 8 * i & 0xff);
  }
}

uint32_t primecell_id(uint64_t offset, uint32_t periph_id) {
  if (offset < PERIPH_ID0 || offset >= PRIMECELL_SIZE || offset % 4)
    return 0;
  return (offset < PCELL_ID0 ? periph_id : PCELL_ID) >> 8 * (offset / 4 % 4) & 0xff;
}

const char *primecell_id_name(uint64_t offset, const char *periph_id, const char *pcell_id) {
  if (offset < PERIPH_ID0 || offset >= PRIMECELL_SIZE || offset % 4)
    return NULL;
  return offset < PCELL_ID0 ? periph_id : pcell_id;
}

void primecell_begin_node(FdtWriter *fdt, const char *name, const DeviceSlot *slot, uint32_t periph_id) {
  g_autofree char *own = g_strconcat("arm,", name, NULL);
  const char *const compatible[] = {own, "arm,primecell"};

  fdt_writer_begin_at(fdt, name, slot->base);
  fdt_writer_strings(fdt, "compatible", compatible, G_N_ELEMENTS(compatible));
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_u32(fdt, PERIPHID, periph_id);
  fdt_writer_interrupt(fdt, FDT_IRQ_SPI, slot->spi, slot->trigger);
}
