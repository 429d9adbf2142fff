# SPDX-License-Identifier: BSD-3-Clause
"""FLUTE packets, written and read independently of pagewire, from the RFCs' own text."""
import struct

ETH_VLAN, ETH_IP4, ETH_IP6 = 0x8100, 0x0800, 0x86dd
HET_FTI, HET_FDT, HET_CENC = 64, 192, 193
NS = "urn:IETF:metadata:2005:FLUTE:FDT"
PW_NS = "urn:pagewire:fdt:1"


def packet(toi, sbn, esi, payload, tsi=1, fdt_instance=None, fti=None, close=False, cenc=None):
    """One UDP payload; fti is (transfer length, symbol length, largest block), cenc how a table is packed."""
    extensions = b""
    if fdt_instance is not None:
        extensions += struct.pack("!I", HET_FDT << 24 | 2 << 20 | fdt_instance)
    if cenc is not None:
        extensions += struct.pack("!I", HET_CENC << 24 | cenc << 16)
    if fti:
        length, symbol, block = fti
        extensions += struct.pack("!BBHIHHI", HET_FTI, 4, length >> 32, length & 0xffffffff, 0,
                                  symbol, block)
    # RFC 5651 section 5.1: V 1, 32-bit TSI (S) and TOI (O = 1)
    flags = 1 << 12 | 1 << 7 | 1 << 5 | (1 << 1 if close else 0)
    words = 4 + len(extensions) // 4
    return (struct.pack("!HBBIII", flags, words, 0, 0, tsi, toi) + extensions
            + struct.pack("!HH", sbn, esi) + payload)


def close_packet(tsi=1):
    """Without a FEC payload ID, as RFC 5775 section 4.1 has it."""
    return packet(0, 0, 0, b"", tsi=tsi, close=True)[:-4]


def fdt_xml(files, complete=False, extra="", attributes=""):
    """files: dicts of attributes beside the FEC ones; attributes: of the FDT-Instance."""
    entries = "".join("<File " + " ".join(f'{k}="{v}"' for k, v in f.items()) + "/>"
                      for f in files)
    complete = ' Complete="true"' if complete else ""
    return (f'<?xml version="1.0" encoding="UTF-8"?>{extra}<FDT-Instance xmlns="{NS}" '
            f'xmlns:pw="{PW_NS}" Expires="4294967295"{complete} {attributes}>{entries}'
            '</FDT-Instance>').encode()


def file_entry(location, toi, length, symbol=1000, block=64, **more):
    entry = {"Content-Location": location, "TOI": toi, "Content-Length": length,
             "Transfer-Length": length, "FEC-OTI-FEC-Encoding-ID": 0,
             "FEC-OTI-Maximum-Source-Block-Length": block,
             "FEC-OTI-Encoding-Symbol-Length": symbol}
    entry.update(more)
    return entry


def fdt_packets(xml, instance=0, symbol=1400, **more):
    return [packet(0, 0, i, xml[i * symbol:(i + 1) * symbol], fdt_instance=instance,
                   fti=(len(xml), symbol, 4096), **more)
            for i in range((len(xml) + symbol - 1) // symbol)]


def blocks(length, symbol, largest):
    """RFC 5052 section 9.1: the number of symbols of each block."""
    total = (length + symbol - 1) // symbol
    n = (total + largest - 1) // largest
    if not n:
        return []
    small, large = total // n, (total + n - 1) // n
    n_large = total - small * n
    return [large] * n_large + [small] * (n - n_large)


def data_packets(toi, data, symbol=1000, block=64, tsi=1, **more):
    at = 0
    made = []
    for sbn, n in enumerate(blocks(len(data), symbol, block)):
        for esi in range(n):
            made.append(packet(toi, sbn, esi, data[at:at + symbol], tsi=tsi, **more))
            at += symbol
    return made


def frames(path):
    """The frames of a capture."""
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


def symbols(path):
    """(toi, sbn, esi, payload) of each packet of pagewire's own form in a capture."""
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


def reassemble(path, toi, length, symbol, largest):
    """The file of that TOI, put together by the RFC's rules; fails on a symbol that is missing."""
    got = {(s, e): p for t, s, e, p in symbols(path) if t == toi}
    parts = [got[sbn, esi] for sbn, n in enumerate(blocks(length, symbol, largest))
             for esi in range(n)]
    return b"".join(parts)
