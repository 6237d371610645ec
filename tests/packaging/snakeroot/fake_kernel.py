"""A kernel of 5 KiB for tests of boot loaders: says its command line on the serial port and switches QEMU off.

Linux's boot protocol (Documentation/arch/x86/boot.rst): a setup sector with the header, a second sector with the
16-bit code, whose segment is in DS, and the 32-bit code, which is entered with the boot parameters' address in ESI.
"""

from __future__ import annotations

import struct

#: Real mode: the same as below.
CODE16 = bytes.fromhex(
    "66a12802"  #       mov eax, [0x228]        the command line's address, cmd_line_ptr
    "6689c3"  #         mov ebx, eax
    "66c1e804"  #       shr eax, 4
    "8ec0"  #           mov es, ax
    "83e30f"  #         and bx, 15
    "baf803"  #         mov dx, 0x3f8
    "268a07"  #   next: mov al, es:[bx]
    "84c0"  #           test al, al
    "7404"  #           jz off
    "ee"  #             out dx, al
    "43"  #             inc bx
    "ebf5"  #           jmp next
    "b00a"  #      off: mov al, 10
    "ee"  #             out dx, al
    "ba0406"  #         mov dx, 0x604
    "b80020"  #         mov ax, 0x2000
    "ef"  #             out dx, ax
    "f4"  #       stop: hlt
    "ebfd"  #           jmp stop
)

#: Where it begins: the first instruction of the setup jumps over the header.
CODE16_AT = 0x26C

#: Protected mode, flat segments.  The ACPI power management port is that of QEMU's q35.
CODE = bytes.fromhex(
    "8b9e28020000"  # mov ebx, [esi + 0x228]    the command line's address, cmd_line_ptr
    "66baf803"  #     mov dx, 0x3f8             the first serial port
    "8a03"  #   next: mov al, [ebx]
    "84c0"  #         test al, al
    "7404"  #         jz off
    "ee"  #           out dx, al
    "43"  #           inc ebx
    "ebf6"  #         jmp next
    "b00a"  #    off: mov al, 10
    "ee"  #           out dx, al
    "66ba0406"  #     mov dx, 0x604             PM1a control:
    "66b80020"  #     mov ax, 0x2000            sleep enable, type 0: soft off
    "66ef"  #         out dx, ax
    "f4"  #     stop: hlt
    "ebfd"  #         jmp stop
)

#: offset of a field of the setup header, its format, its value
HEADER = (
    (0x1F1, "<B", 1),  # setup sectors after the first
    (0x1FE, "<H", 0xAA55),
    (0x200, "<H", 0x6AEB),  # jump over the header
    (0x202, "<4s", b"HdrS"),
    (0x206, "<H", 0x20C),  # protocol 2.12
    (0x211, "<B", 1),  # loaded high
    (0x214, "<I", 0x100000),  # 32-bit entry point
    (0x22C, "<I", 0x7FFFFFFF),  # highest address of an initramfs
    (0x230, "<I", 0x1000),  # alignment
    (0x234, "<B", 1),  # relocatable
    (0x235, "<B", 12),
    (0x238, "<I", 2047),  # longest command line
    (0x258, "<Q", 0x1000000),  # preferred address
    (0x260, "<I", 0x100000),  # memory needed
)


def fake_kernel() -> bytes:
    """A bzImage."""
    setup = bytearray(1024)
    body = CODE.ljust(4096, b"\x90")
    for offset, form, value in (*HEADER, (0x1F4, "<I", len(body) // 16)):
        struct.pack_into(form, setup, offset, value)
    setup[CODE16_AT : CODE16_AT + len(CODE16)] = CODE16
    return bytes(setup) + body
