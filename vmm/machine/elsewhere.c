/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's counts of a device may be older than the machine: what they were at the beginning is taken off. No lock:
 * see the header.
 */
#include "vmm/machine/elsewhere.h"

typedef struct {
  const VirtioDevice *device;
  DeviceTraffic before;
} Served;

struct Elsewhere {
  GArray *served; /* of Served */
};

static bool read_traffic(const VirtioDevice *device, DeviceTraffic *traffic) {
  return device->ops->traffic && device->ops->traffic(device, traffic);
}

Elsewhere *elsewhere_new(const Platform *platform) {
  Elsewhere *elsewhere = g_new0(Elsewhere, 1);

  elsewhere->served = g_array_new(FALSE, TRUE, sizeof(Served));
  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    Served served = {.device = made->virtio};
    if (!made->virtio || !made->virtio->served_by)
      continue;
    read_traffic(made->virtio, &served.before);
    g_array_append_val(elsewhere->served, served);
  }
  return elsewhere;
}

void elsewhere_free(Elsewhere *elsewhere) {
  if (!elsewhere)
    return;
  g_array_unref(elsewhere->served);
  g_free(elsewhere);
}

/* False: nobody counts. */
static bool traffic_since(const Served *served, DeviceTraffic *traffic) {
  const DeviceTraffic *before = &served->before;

  if (!read_traffic(served->device, traffic))
    return false;
  traffic->received -= before->received;
  traffic->received_bytes -= before->received_bytes;
  traffic->received_drops -= before->received_drops;
  traffic->sent -= before->sent;
  traffic->sent_bytes -= before->sent_bytes;
  traffic->sent_drops -= before->sent_drops;
  return true;
}

void elsewhere_add(const Elsewhere *elsewhere, GArray *devices) {
  for (unsigned i = 0; i < elsewhere->served->len; i++) {
    const Served *served = &g_array_index(elsewhere->served, Served, i);
    DeviceCount *count = device_count_find(devices, served->device->name);

    count->served_by = served->device->served_by;
    for (unsigned queue = 0; queue < served->device->n_queues; queue++)
      device_count_queue(count, queue)->elsewhere |= virtio_call_fd(served->device, queue) >= 0;
    count->has_traffic = traffic_since(served, &count->traffic);
  }
}

void elsewhere_record(const Elsewhere *elsewhere, Recorder *recorder) {
  for (unsigned i = 0; i < elsewhere->served->len; i++) {
    const Served *served = &g_array_index(elsewhere->served, Served, i);
    DeviceTraffic traffic = {0};
    bool known = traffic_since(served, &traffic);
    const TraceRecord record = {
        .time = trace_now(),
        .kind = TRACE_ERET_TRAFFIC,
        .vcpu = TRACE_NO_VCPU,
        .flags = known ? 0 : TRACE_TRAFFIC_UNKNOWN,
        .name = recorder_text(recorder, served->device->name),
        .detail = recorder_text(recorder, served->device->served_by),
        .a = traffic.received,
        .b = traffic.received_bytes,
        .c = traffic.sent,
        .d = traffic.sent_bytes,
    };
    recorder_add(recorder, &record);
  }
}
