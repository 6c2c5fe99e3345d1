#!/usr/bin/env python3
"""Make an x86-64 program out of a script of the shell: a static ELF file that runs `/bin/sh -c SCRIPT` with its own
arguments, $0 included. For stand-ins of programs that are checked before they are used.

    program.py OUTPUT [--machine NUMBER] <SCRIPT
"""

import argparse
import os
import struct
import sys

parser = argparse.ArgumentParser()
parser.add_argument("output")
parser.add_argument("--machine", type=int, default=62, help="e_machine; 62 is x86-64, 183 aarch64")
options = parser.parse_args()
script = sys.stdin.buffer.read()

# On entry the stack has argc, the arguments, 0, the environment, 0. The new arguments are put in front of them.
head = bytes.fromhex(
    "488b0c24"  # mov rcx, [rsp]
    "488d54cc10"  # lea rdx, [rsp + 8*rcx + 16]     the environment
)
tail = bytes.fromhex(
    "4889e6"  # mov rsi, rsp
    "b83b000000"  # mov eax, 59                       execve
    "0f05"  # syscall
    "bf7f000000"  # mov edi, 127
    "b83c000000"  # mov eax, 60                       exit
    "0f05"  # syscall
)


def code(addresses):
    shell, option, text = (struct.pack("<Q", address) for address in addresses)
    move = bytes.fromhex("48b8")  # mov rax, imm64
    return (
        head
        + move + text + bytes.fromhex("48890424")  # mov [rsp], rax
        + move + option + b"\x50"  # push rax
        + move + shell + b"\x50"
        + bytes.fromhex("48bf") + shell  # mov rdi, imm64
        + tail
    )


base, offset = 0x400000, 64 + 56
start = base + offset
shell = start + len(code((0, 0, 0)))
data = b"/bin/sh\0-c\0" + script + b"\0"
body = code((shell, shell + 8, shell + 11)) + data
size = offset + len(body)
ident = b"\x7fELF\x02\x01\x01" + bytes(9)
header = ident + struct.pack("<HHIQQQIHHHHHH", 2, options.machine, 1, start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
with open(options.output, "wb") as file:
    file.write(header + segment + body)
os.chmod(options.output, 0o755)
