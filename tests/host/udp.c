/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp serve PORT: sends each datagram back to where it came from, for ever. udp ask ADDRESS PORT TEXT: sends TEXT,
 * twice a second, until it has come back or 20 seconds are over; status 0 if it has.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int serve(int fd, struct sockaddr_in address) {
  static char bytes[65536];
  socklen_t size = sizeof address;
  ssize_t got;

  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return 2;
  while ((got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&address, &size)) >= 0)
    sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&address, size);
  return 2;
}

static int ask(int fd, struct sockaddr_in address, const char *text) {
  struct pollfd answer = {.fd = fd, .events = POLLIN};
  char bytes[2048];

  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return 2;
  for (int i = 0; i < 40; i++) {
    send(fd, text, strlen(text), 0); /* nobody may be there yet */
    if (poll(&answer, 1, 500) == 1 && recv(fd, bytes, sizeof bytes, 0) == (ssize_t)strlen(text) && memcmp(bytes, text, strlen(text)) == 0)
      return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);

  if (argc == 3 && strcmp(argv[1], "serve") == 0) {
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    return serve(fd, address);
  }
  if (argc != 5 || strcmp(argv[1], "ask") != 0)
    return 2;
  inet_pton(AF_INET, argv[2], &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(argv[3]));
  return ask(fd, address, argv[4]);
}
