# SPDX-License-Identifier: BSD-3-Clause
"""Reed-Solomon codes over GF(2^8), as FLUTE senders use them (FEC Encoding ID 5). Written from the definition of
the code, independently of pagewire's: the byte at one offset of all symbols of a block is a polynomial of
degree < k at some points, and source symbol i is its value at point i."""
from __future__ import annotations

import functools
from collections.abc import Iterator

import flute

FIELD = 0x11d  # RFC 5510 section 8.1


@functools.cache
def times(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (FIELD if a & 0x80 else 0)
        b >>= 1
    return product


@functools.cache
def inverse(a: int) -> int:
    return next(b for b in range(1, 256) if times(a, b) == 1)


def points(code: str, n: int) -> list[int]:
    """rfc: 1, 2, 4, ...; rizzo: 0, 1, 2, 4, ...; ypo: 0, 1, 2, 3, ..."""
    if code == "ypo":
        return list(range(n))
    powers = [1]
    while len(powers) < n:
        powers.append(times(powers[-1], 2))
    return powers if code == "rfc" else [0, *powers[:n - 1]]


@functools.cache
def row(code: str, k: int, j: int) -> list[int]:
    """The factors of parity symbol j: the Lagrange polynomials of the first k points, at point k + j."""
    at = points(code, k + j + 1)
    factors = []
    for i in range(k):
        factor = 1
        for m in range(k):
            if m != i:
                factor = times(factor, times(at[k + j] ^ at[m], inverse(at[i] ^ at[m])))
        factors.append(factor)
    return factors


@functools.cache
def table(factor: int) -> bytes:
    """All bytes times the factor."""
    return bytes(times(factor, b) for b in range(256))


def parity_of(source: list[bytes], n: int, code: str) -> list[bytes]:
    """The n parity symbols of source symbols of one length."""
    made = []
    for j in range(n):
        total = 0
        for factor, symbol in zip(row(code, len(source), j), source, strict=True):
            total ^= int.from_bytes(symbol.translate(table(factor)), "big")
        made.append(total.to_bytes(len(source[0]), "big"))
    return made


def packets(toi: int, data: bytes, code: str, symbol: int, block: int, most: int,
            tsi: int = 1, pad: bool = False, fti: bool = False) -> Iterator[tuple[int, int, bytes]]:
    """(SBN, ESI, packet) of each symbol, block by block. most: all symbols of a block, at most. pad: the last source
    symbol is sent padded, as it is coded. fti: each packet has EXT_FTI."""
    extension = (len(data), symbol, block, most) if fti else None
    at = 0
    for sbn, k in enumerate(flute.blocks(len(data), symbol, block)):
        plain = [data[at + i * symbol:at + (i + 1) * symbol] for i in range(k)]
        coded = [s.ljust(symbol, b"\0") for s in plain]
        at += k * symbol
        payloads = (coded if pad else plain) + parity_of(coded, k * most // block - k, code)
        for esi, payload in enumerate(payloads):
            yield sbn, esi, flute.packet(toi, sbn, esi, payload, tsi=tsi, fec=5, fti=extension)
