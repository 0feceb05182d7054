#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An example of a hypercall service outside eret: adds two numbers, counts its calls.

hypercalls.md, "Services outside the process", specifies the messages.

    ./hypercall-server.py /tmp/sum.sock &
    eret run --hypercall 0xc2000000+2=unix:/tmp/sum.sock ...
"""
import itertools
import os
import socketserver
import stat
import struct
import sys

MESSAGE = struct.Struct("<IIQII18Q")  # magic, version, sequence, function, vcpu, x0 .. x17
MAGIC = 0x74657265  # "eret"
VERSION = 1

SUCCESS = 0
NOT_SUPPORTED = -1

FIRST = 0xC2000000
CALLS = itertools.count(1)


def add(x, number):
    x[1] += x[2]
    return SUCCESS


def count(x, number):
    x[1] = number
    return SUCCESS


FUNCTIONS = {FIRST: add, FIRST + 1: count}


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while len(message := self.rfile.read(MESSAGE.size)) == MESSAGE.size:
            magic, version, sequence, function, vcpu, *x = MESSAGE.unpack(message)
            if (magic, version) != (MAGIC, VERSION):
                return
            # Registers that a function does not set go back as they came.
            handle = FUNCTIONS.get(function)
            number = next(CALLS)
            x[0] = handle(x, number) if handle else NOT_SUPPORTED
            x = [value & 0xFFFFFFFFFFFFFFFF for value in x]
            self.wfile.write(MESSAGE.pack(magic, version, sequence, function, vcpu, *x))


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 16


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: hypercall-server.py PATH")
    path = sys.argv[1]
    if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
        os.unlink(path)  # of an earlier run
    os.umask(0o077)  # whoever can connect can call
    with Server(path, Connection) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
