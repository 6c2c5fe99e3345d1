"""Write standard input into the disk that is standard output, as a ring of text.

The text of a boot begins at the start of the disk. At the end of the disk it goes on at the start. Zeros follow the newest
line, so that a reader finds where the oldest begins. Nothing is read from the disk: what is there, the host wrote.
"""

import os
import sys

GAP = 4096


class Ring:
    def __init__(self, disk: int):
        self.disk = disk
        self.size = os.lseek(disk, 0, os.SEEK_END)
        self.at = 0
        if self.size < 16 * GAP:
            sys.exit(f"the log disk has {self.size} bytes, it needs at least {16 * GAP}")

    def put(self, data: bytes, at: int) -> int:
        """Write data from there on, around the end; return where it ends."""
        while data:
            count = os.pwrite(self.disk, data[: self.size - at], at)
            if count == 0:
                sys.exit("the log disk takes nothing more")
            data, at = data[count:], (at + count) % self.size
        return at

    def write(self, text: bytes) -> None:
        self.at = self.put(text.replace(b"\0", b" "), self.at)
        self.put(bytes(GAP), self.at)
        os.fsync(self.disk)


def main() -> None:
    ring = Ring(1)
    while text := os.read(0, 65536):
        ring.write(text)


main()
