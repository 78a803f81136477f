#!/usr/bin/env python3
"""Writes iconv's conversion of each character in each encoding as `charsets.txt` and `charsets.bin`
next to this file: Git uses the iconv of the GNU C library, and no crate has its tables.

`charsets.txt` has a line for each encoding: the position of its table in `charsets.bin`, the
table's length, how characters are combined (`strict` if Unicode's tags aren't dropped), and all
names. A table is a deflate stream of numbers, seven bits per byte, lowest first: the counts of
characters and of pairs; for each character its distance from the previous one, and its bytes; for
each pair both characters and the bytes. Bytes are the distance of their number from that of the
previous character, sign last, with their count in the lowest three bits.

An encoding is omitted if concatenating its characters' bytes doesn't equal iconv's result.
"""

import ctypes
import os
import pathlib
import random
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor

CHARACTERS = [character for character in range(0x30000) if not 0xD800 <= character < 0xE000]
MARKS = [0x300, 0x301, 0x303, 0x304, 0x309, 0x30C, 0x323, 0x309A, 0x2E5, 0x2E9]
PROBES = [*range(1, 0x600), *range(0xE00, 0xE60), *range(0x10D0, 0x1100), *range(0x1E00, 0x1F00), *range(0x2000, 0x2700), *range(0x2F00, 0x3100),
          *range(0x3200, 0x3400), *range(0x4E00, 0xA000, 9), *range(0xAC00, 0xD800, 31), *range(0xE000, 0xFA30, 11), *range(0xFE00, 0x10000),
          0x1F980, *range(0x20000, 0x20100), *range(0x29000, 0x29100)]
# Implemented in code: they need no table.
UNICODE = ["UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE", "UCS-2", "UCS-2BE", "UNICODE"]

LIBRARY = ctypes.CDLL(None)
LIBRARY.iconv_open.restype = ctypes.c_void_p
LIBRARY.iconv_open.argtypes = [ctypes.c_char_p] * 2
LIBRARY.iconv.restype = ctypes.c_size_t
LIBRARY.iconv.argtypes = [ctypes.c_void_p] * 5
LIBRARY.iconv_close.argtypes = [ctypes.c_void_p]
ERROR = 2**64 - 1
ROOM = 1 << 16
OUTPUT = ctypes.create_string_buffer(ROOM)


class Encoding:
    def __init__(self, name):
        self.handle = LIBRARY.iconv_open(name.encode(), b"UTF-8")

    def convert(self, characters):
        data = "".join(map(chr, characters)).encode()
        LIBRARY.iconv(self.handle, None, None, None, None)
        source = ctypes.create_string_buffer(data, len(data) + 1)
        at, left = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_size_t(len(data))
        to, room = ctypes.c_void_p(ctypes.addressof(OUTPUT)), ctypes.c_size_t(ROOM)
        arguments = [ctypes.byref(value) for value in (at, left, to, room)]
        if LIBRARY.iconv(self.handle, *arguments) == ERROR:
            return None
        LIBRARY.iconv(self.handle, None, None, *arguments[2:])
        return OUTPUT.raw[: ROOM - room.value]


def fingerprint(name):
    encoding = Encoding(name)
    return tuple(encoding.convert([character]) for character in PROBES)


def together(kind, table, pairs, characters):
    """The algorithm of the reader in Rust."""
    out, shifted, at = b"", False, 0
    while at < len(characters):
        piece, step = pairs.get(tuple(characters[at : at + 2])), 2
        if piece is None:
            piece, step = table.get(characters[at]), 1
        if piece is None:
            return None
        if kind.startswith("shift"):
            if shifted != (len(piece) == 2):
                shifted = not shifted
                out += b"\x0e" if shifted else b"\x0f"
        out, at = out + piece, at + step
    return out + (b"\x0f" if shifted else b"")


def table_of(name):
    encoding, table, kind = Encoding(name), {}, "plain"
    for character in CHARACTERS:
        found = encoding.convert([character])
        if found is not None:
            table[character] = found
    doubles = [found for found in table.values() if len(found) == 4 and found[0] == 0x0E and found[3] == 0x0F]
    if len(doubles) > 1000:
        kind = "shift"
        table = {character: found[1:3] if len(found) == 4 else found for character, found in table.items()}
    pairs = {}
    if len(table) > 1000 and kind == "plain":
        for character in [character for character in table if character < 0x3200]:
            for mark in MARKS:
                found = encoding.convert([character, mark])
                if found is not None and found != together(kind, table, {}, [character, mark]):
                    pairs[character, mark] = found
    if encoding.convert([0xE0041]) is None:
        kind += "-strict"
    chosen, known = random.Random(1), list(table)
    fits = bool(known) and max(map(len, table.values())) <= 4
    for _ in range(400):
        characters = chosen.choices(known, k=20) if fits else []
        fits = fits and encoding.convert(characters) == together(kind, table, pairs, characters)
    return (kind, table, pairs) if fits else None


def packed(kind, table, pairs):
    out = bytearray()

    def number(value):
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)

    def content(piece, before):
        value = int.from_bytes(piece, "big")
        distance = value - before
        number((distance << 1 if distance >= 0 else (-distance << 1) - 1) << 3 | len(piece))
        return value

    number(len(table))
    number(len(pairs))
    before, value = 0, 0
    for character, piece in sorted(table.items()):
        number(character - before)
        before, value = character, content(piece, value)
    for (first, second), piece in sorted(pairs.items()):
        number(first)
        number(second)
        value = content(piece, value)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(bytes(out)) + deflate.flush()


def main():
    listed = subprocess.run(["iconv", "-l"], capture_output=True, text=True, check=True).stdout
    names = sorted({line.strip().rstrip("/") for line in listed.splitlines() if line.strip()})
    os.nice(10)
    with ProcessPoolExecutor() as pool:
        groups = {}
        for name, key in zip(names, pool.map(fingerprint, names, chunksize=8)):
            groups.setdefault(key, []).append(name)
        groups = [group for group in groups.values() if not set(group) & set(UNICODE)]
        tables = list(pool.map(table_of, [group[0] for group in groups]))
    here, lines, whole = pathlib.Path(__file__).parent, [], b""
    for group, table in zip(groups, tables):
        if table is None:
            print("left out:", *group, file=sys.stderr)
            continue
        data = packed(*table)
        lines.append(" ".join([str(len(whole)), str(len(data)), table[0], *group]) + "\n")
        whole += data
    (here / "charsets.txt").write_text("".join(lines))
    (here / "charsets.bin").write_bytes(whole)


if __name__ == "__main__":
    main()
