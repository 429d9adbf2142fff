# SPDX-License-Identifier: BSD-3-Clause
"""Builds and reads FLUTE packets. Written from the text of the RFCs, independently of pagewire's code."""
from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

ETH_VLAN, ETH_IP4, ETH_IP6 = 0x8100, 0x0800, 0x86dd
HET_FTI, HET_FDT, HET_CENC = 64, 192, 193
NS = "urn:IETF:metadata:2005:FLUTE:FDT"
PW_NS = "urn:pagewire:fdt:1"


def packet(toi: int, sbn: int, esi: int, payload: bytes, tsi: int = 1, fdt_instance: int | None = None,
           fti: tuple[int, ...] | None = None, close: bool = False,
           cenc: int | None = None, fec: int = 0) -> bytes:
    """One UDP payload. fti: (transfer length, symbol length, largest block), and with fec 5 all symbols of a
    block. cenc: the code of the compression of a table. fec: the FEC Encoding ID."""
    extensions = b""
    if fdt_instance is not None:
        extensions += struct.pack("!I", HET_FDT << 24 | 2 << 20 | fdt_instance)
    if cenc is not None:
        extensions += struct.pack("!I", HET_CENC << 24 | cenc << 16)
    if fti and fec == 5:  # RFC 5510 section 5.2.2
        length, symbol, block, most = fti
        extensions += struct.pack("!BBHIHBB", HET_FTI, 3, length >> 32, length & 0xffffffff, symbol,
                                  block, most)
    elif fti:
        length, symbol, block = fti
        extensions += struct.pack("!BBHIHHI", HET_FTI, 4, length >> 32, length & 0xffffffff, 0,
                                  symbol, block)
    # RFC 5651 section 5.1: V 1, 32-bit TSI (S) and TOI (O = 1)
    flags = 1 << 12 | 1 << 7 | 1 << 5 | (1 << 1 if close else 0)
    words = 4 + len(extensions) // 4
    payload_id = struct.pack("!I", sbn << 8 | esi) if fec == 5 else struct.pack("!HH", sbn, esi)
    return (struct.pack("!HBBIII", flags, words, fec, 0, tsi, toi) + extensions + payload_id + payload)


def close_packet(tsi: int = 1) -> bytes:
    """A close packet without FEC payload ID (RFC 5775 section 4.1)."""
    return packet(0, 0, 0, b"", tsi=tsi, close=True)[:-4]


def fdt_xml(files: Iterable[dict[str, Any]], complete: bool = False, extra: str = "",
            attributes: str = "") -> bytes:
    """files: the attributes of each File element. extra: text before the FDT-Instance. attributes: more
    attributes of the FDT-Instance."""
    entries = "".join("<File " + " ".join(f'{k}="{v}"' for k, v in f.items()) + "/>"
                      for f in files)
    complete_attribute = ' Complete="true"' if complete else ""
    return (f'<?xml version="1.0" encoding="UTF-8"?>{extra}<FDT-Instance xmlns="{NS}" '
            f'xmlns:pw="{PW_NS}" Expires="4294967295"{complete_attribute} {attributes}>{entries}'
            '</FDT-Instance>').encode()


def file_entry(location: str, toi: object, length: object, symbol: int = 1000, block: int = 64,
               **more: Any) -> dict[str, Any]:
    """The attributes of a File element."""
    entry: dict[str, Any] = {"Content-Location": location, "TOI": toi, "Content-Length": length,
             "Transfer-Length": length, "FEC-OTI-FEC-Encoding-ID": 0,
             "FEC-OTI-Maximum-Source-Block-Length": block,
             "FEC-OTI-Encoding-Symbol-Length": symbol}
    entry.update(more)
    return entry


def fdt_packets(xml: bytes, instance: int = 0, symbol: int = 1400, **more: Any) -> list[bytes]:
    """The packets of one file table."""
    return [packet(0, 0, i, xml[i * symbol:(i + 1) * symbol], fdt_instance=instance,
                   fti=(len(xml), symbol, 4096), **more)
            for i in range((len(xml) + symbol - 1) // symbol)]


def blocks(length: int, symbol: int, largest: int) -> list[int]:
    """The number of symbols of each block (RFC 5052 section 9.1)."""
    total = (length + symbol - 1) // symbol
    n = (total + largest - 1) // largest
    if not n:
        return []
    small, large = total // n, (total + n - 1) // n
    n_large = total - small * n
    return [large] * n_large + [small] * (n - n_large)


def data_packets(toi: int, data: bytes, symbol: int = 1000, block: int = 64, tsi: int = 1,
                 **more: Any) -> list[bytes]:
    """The packets of one file, in order."""
    at = 0
    made = []
    for sbn, n in enumerate(blocks(len(data), symbol, block)):
        for esi in range(n):
            made.append(packet(toi, sbn, esi, data[at:at + symbol], tsi=tsi, **more))
            at += symbol
    return made


def frames(path: str) -> Iterator[bytes]:
    """The frames of a capture (pcap)."""
    with open(path, "rb") as f:
        data = f.read()
    little = data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
    order = "<" if little else ">"
    at = 24
    while at < len(data):
        captured, length = struct.unpack_from(order + "II", data, at + 8)
        assert captured == length, "a frame was cut"
        yield data[at + 16:at + 16 + captured]
        at += 16 + captured


def symbols(path: str) -> Iterator[tuple[int, int, int, bytes]]:
    """(toi, sbn, esi, payload) of each packet in a capture of pagewire's packets."""
    for frame in frames(path):
        at, ether_type = 14, struct.unpack_from("!H", frame, 12)[0]
        if ether_type == ETH_VLAN:
            at, ether_type = 18, struct.unpack_from("!H", frame, 16)[0]
        at += 20 if ether_type == ETH_IP4 else 40
        assert ether_type in (ETH_IP4, ETH_IP6), hex(ether_type)
        end = at + struct.unpack_from("!H", frame, at + 4)[0]
        at += 8
        flags, words = struct.unpack_from("!HB", frame, at)
        wide = flags & 1 << 7
        toi = struct.unpack_from("!I" if wide else "!H", frame, at + (12 if wide else 10))[0]
        at += 4 * words
        sbn, esi = struct.unpack_from("!HH", frame, at)
        yield toi, sbn, esi, frame[at + 4:end]


def reassemble(path: str, toi: int, length: int, symbol: int, largest: int) -> bytes:
    """Reassembles the file of that TOI from a capture. Raises KeyError when a symbol is missing."""
    got = {(s, e): p for t, s, e, p in symbols(path) if t == toi}
    parts = [got[sbn, esi] for sbn, n in enumerate(blocks(length, symbol, largest))
             for esi in range(n)]
    return b"".join(parts)
