/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network, before the command: each card that the host wants set up gets what a DHCP server says, all of them at
 * the same time. Packet sockets (packet(7)), as a card without an address neither sends nor gets UDP of its own.
 *
 * What fails is told to the host, and the command runs all the same.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dhcp.h"
#include "init.h"

#define SERVER_WAIT_MS 10000
#define PACKETS_MAX    64 /* of one card at a time */
#define VIRTIO_BUS     "/sys/bus/virtio/devices"
#define VIRTIO_NET     1 /* virtio 1.2, 5.1 */

typedef struct {
  unsigned number; /* from 1, as the host counts them */
  char name[IFNAMSIZ];
  int fd; /* packet socket; -1: it cannot be set up, which was told */
  DhcpClient client;
} Card;

static void __attribute__((format(printf, 2, 3))) warn(const Card *card, const char *format, ...) {
  char text[256];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  control_say("warning network card %u%s%s%s: %s", card->number, *card->name ? " (" : "", card->name, *card->name ? ")" : "", text);
}

static uint64_t now_ms(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Cards, in the order of the virtio devices, which is the host's. */

static int is_card(const struct dirent *entry) {
  char *id = entry->d_name[0] == '.' ? NULL : attribute(VIRTIO_BUS, entry->d_name, "device");
  bool is_one = id && strtoul(id, NULL, 16) == VIRTIO_NET;

  free(id);
  return is_one;
}

static void find_name(Card *card, const char *device) {
  char path[512];

  snprintf(path, sizeof path, VIRTIO_BUS "/%s/net", device);
  DIR *directory = opendir(path);
  for (struct dirent *entry; directory && !*card->name && (entry = readdir(directory));)
    if (entry->d_name[0] != '.' && strlen(entry->d_name) < sizeof card->name)
      strcpy(card->name, entry->d_name);
  if (directory)
    closedir(directory);
}

static void name_cards(Card *cards, unsigned n) {
  struct dirent **entries;
  int found = scandir(VIRTIO_BUS, &entries, is_card, versionsort);

  for (unsigned i = 0; i < n; i++)
    if ((int)i < found)
      find_name(&cards[i], entries[i]->d_name);
}

/* One request to the kernel about the card. */
static bool ask(const Card *card, unsigned long request, struct ifreq *data) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  snprintf(data->ifr_name, sizeof data->ifr_name, "%s", card->name);
  bool ok = fd >= 0 && ioctl(fd, request, data) == 0;
  if (fd >= 0)
    close(fd);
  return ok;
}

static bool bring_up(const Card *card) {
  struct ifreq flags = {.ifr_flags = 0};

  if (!ask(card, SIOCGIFFLAGS, &flags))
    return false;
  flags.ifr_flags = (short)(flags.ifr_flags | IFF_UP);
  return ask(card, SIOCSIFFLAGS, &flags);
}

static bool open_card(Card *card) {
  struct ifreq mac = {.ifr_flags = 0};
  uint32_t transaction = (uint32_t)now_ms() * 2654435761u + card->number;

  card->fd = -1;
  if (!*card->name) {
    warn(card, "the kernel has no interface for it");
    return false;
  }
  if (!ask(card, SIOCGIFHWADDR, &mac) || !bring_up(card)) {
    warn(card, "it cannot be brought up: %s", strerror(errno));
    return false;
  }
  (void)!getrandom(&transaction, sizeof transaction, GRND_NONBLOCK);
  dhcp_start(&card->client, (const uint8_t *)mac.ifr_hwaddr.sa_data, transaction);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP), .sll_ifindex = (int)if_nametoindex(card->name)};
  card->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (card->fd >= 0 && bind(card->fd, (struct sockaddr *)&address, sizeof address) == 0)
    return true;
  warn(card, "there is no packet socket for DHCP: %s%s", strerror(errno), errno == EAFNOSUPPORT ? " (CONFIG_PACKET)" : "");
  if (card->fd >= 0)
    close(card->fd);
  card->fd = -1;
  return false;
}

/* Talking to servers. */

/* A packet that does not get out is lost, as on any network. */
static void send_next(Card *card, uint64_t now) {
  uint8_t packet[DHCP_PACKET_SIZE];
  struct sockaddr_ll everybody = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETHERTYPE_IP),
                                  .sll_ifindex = (int)if_nametoindex(card->name),
                                  .sll_halen = DHCP_MAC_SIZE,
                                  .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

  if (dhcp_next(&card->client, now, packet))
    (void)!sendto(card->fd, packet, sizeof packet, 0, (struct sockaddr *)&everybody, sizeof everybody);
}

static void receive(Card *card) {
  static uint8_t packet[65536];

  for (unsigned i = 0; i < PACKETS_MAX && !card->client.bound; i++) {
    ssize_t size = recv(card->fd, packet, sizeof packet, 0);
    if (size < 0)
      return;
    dhcp_received(&card->client, packet, (size_t)size);
  }
}

/* One round: what is due is sent, and what comes until the next is due is looked at. False: no card waits any more. */
static bool talk(Card *cards, unsigned n, uint64_t now, uint64_t deadline) {
  struct pollfd ready[n];
  uint64_t next = deadline;
  unsigned waiting = 0;

  for (unsigned i = 0; i < n; i++) {
    ready[i] = (struct pollfd){.fd = -1};
    if (cards[i].fd < 0 || cards[i].client.bound)
      continue;
    send_next(&cards[i], now);
    ready[i] = (struct pollfd){.fd = cards[i].fd, .events = POLLIN};
    next = cards[i].client.next_ms < next ? cards[i].client.next_ms : next;
    waiting++;
  }
  if (!waiting || poll(ready, n, next > now ? (int)(next - now) : 0) <= 0)
    return waiting > 0;
  for (unsigned i = 0; i < n; i++)
    if (ready[i].revents)
      receive(&cards[i]);
  return true;
}

/* What a server said. */

static struct sockaddr address_of(uint32_t address) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
  struct sockaddr result;

  memcpy(&result, &in, sizeof result);
  return result;
}

static uint32_t mask_of(unsigned bits) {
  return bits ? ~UINT32_C(0) << (32 - bits) : 0;
}

/* Of two ways to the same place that of the first card is taken. */
static void add_route(const Card *card, const DhcpRoute *route) {
  struct rtentry entry = {
      .rt_dst = address_of(route->destination),
      .rt_genmask = address_of(mask_of(route->bits)),
      .rt_gateway = address_of(route->gateway),
      .rt_flags = (unsigned short)(RTF_UP | (route->gateway ? RTF_GATEWAY : 0) | (route->bits == 32 ? RTF_HOST : 0)),
      .rt_metric = (short)card->number,
      .rt_dev = (char *)card->name,
  };
  struct in_addr destination = {htonl(route->destination)};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || (ioctl(fd, SIOCADDRT, &entry) < 0 && errno != EEXIST))
    warn(card, "a route to %s/%u cannot be made: %s", inet_ntoa(destination), route->bits, strerror(errno));
  if (fd >= 0)
    close(fd);
}

/* A network whose packets are shorter than the card's is believed; one with longer ones is not. */
static void shorten_packets(const Card *card, unsigned mtu) {
  struct ifreq request = {.ifr_flags = 0};

  if (!mtu || !ask(card, SIOCGIFMTU, &request) || (unsigned)request.ifr_mtu <= mtu)
    return;
  request.ifr_mtu = (int)mtu;
  ask(card, SIOCSIFMTU, &request);
}

static void use_lease(const Card *card) {
  const DhcpLease *lease = &card->client.lease;
  struct ifreq address = {.ifr_addr = address_of(lease->address)}, mask = {.ifr_netmask = address_of(mask_of(lease->bits))};

  shorten_packets(card, lease->mtu);
  if (!ask(card, SIOCSIFADDR, &address) || !ask(card, SIOCSIFNETMASK, &mask)) {
    warn(card, "its address cannot be set: %s", strerror(errno));
    return;
  }
  for (unsigned i = 0; i < lease->n_routes; i++)
    add_route(card, &lease->routes[i]);
}

static void report(const Card *card) {
  char *carrier = attribute("/sys/class/net", card->name, "carrier");

  if (carrier && *carrier == '0')
    warn(card, "it has no address, as its link is down");
  else
    warn(card, "it has no address, as no DHCP server answered within %d s", SERVER_WAIT_MS / 1000);
  free(carrier);
}

/* Names. */

static bool wants_own_resolver(const Spec *spec) {
  for (unsigned i = 0; spec->copy_in && spec->copy_in[i]; i++)
    if (strcmp(spec->copy_in[i], "/etc/resolv.conf") == 0)
      return true;
  return !spec->root && access("/etc/resolv.conf", F_OK) == 0;
}

/*
 * resolv.conf(5). A root's own file is of the computer that it was made on: a new one takes its place, in memory as all
 * that the guest writes there. One that was copied in is meant.
 */
static void write_resolver(const Spec *spec, const Card *cards, unsigned n) {
  static const char path[] = "/etc/resolv.conf";
  unsigned servers = 0;
  bool searched = false;

  for (unsigned i = 0; i < n; i++)
    servers += cards[i].client.lease.n_servers;
  if (!servers || wants_own_resolver(spec))
    return;
  mkdir("/etc", 0755);
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    control_say("warning %s cannot be written: %s", path, strerror(errno));
    return;
  }
  for (unsigned i = 0; i < n; i++) {
    const DhcpLease *lease = &cards[i].client.lease;
    if (*lease->domain && !searched)
      searched = dprintf(fd, "search %s\n", lease->domain) > 0;
    for (unsigned j = 0; j < lease->n_servers; j++) {
      struct in_addr address = {htonl(lease->servers[j])};
      dprintf(fd, "nameserver %s\n", inet_ntoa(address));
    }
  }
  close(fd);
}

void set_up_network(const Spec *spec) {
  unsigned n = 0;

  while (spec->nets && spec->nets[n])
    n++;
  Card *cards = n ? calloc(n, sizeof *cards) : NULL;
  if (!cards)
    return;
  name_cards(cards, n);
  for (unsigned i = 0; i < n; i++) {
    cards[i].number = i + 1;
    open_card(&cards[i]);
  }
  uint64_t now = now_ms(), deadline = now + SERVER_WAIT_MS;
  while (now < deadline && talk(cards, n, now, deadline))
    now = now_ms();
  for (unsigned i = 0; i < n; i++) {
    if (cards[i].client.bound)
      use_lease(&cards[i]);
    else if (cards[i].fd >= 0)
      report(&cards[i]);
    if (cards[i].fd >= 0)
      close(cards[i].fd);
  }
  write_resolver(spec, cards, n);
  free(cards);
}
