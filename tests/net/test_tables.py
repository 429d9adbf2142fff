# SPDX-License-Identifier: BSD-3-Clause
"""File tables as the standards allow them, and with errors: a bad entry affects that file only.

The rules are those of docs/wire.md, "The file table" and "Names"; RFC 6726, RFC 5775, 3GPP TS 26.346."""
from __future__ import annotations

import gzip
import os
import time
import zlib
from collections.abc import Callable
from typing import Any

import flute
from harness import Test, check, equal
from session import Entry, Listener, entry, reason, sha, states

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SIZE = 10500  # 11 symbols; the last one is short
FTI = (SIZE, 1000, 64)


def good(toi: int = 500) -> tuple[Entry, bytes]:
    data = os.urandom(SIZE)
    return entry("good.bin", toi, data), data


def bare(**attributes: Any) -> Entry:
    return {k.replace("_", "-"): v for k, v in attributes.items()}


def with_entries(t: Test, entries: list[Entry], code: int, out: str, **more: Any
                 ) -> tuple[Listener, dict[str, Any]]:
    """Sends a table of these entries, with a good one in the middle; the good file must arrive."""
    r = Listener(t, out=out)
    s = r.sender()
    about, data = good()
    half = len(entries) // 2
    s.table([*entries[:half], about, *entries[half:]], complete=True, **more)
    s.data(500, data)
    for toi in range(1, 30):
        s.send([flute.packet(toi, 0, 0, b"x" * 10)])
    time.sleep(0.1)
    s.close()
    result = r.end(code)
    r.holds("good.bin", data)
    return r, result


BAD: dict[str, Entry] = {
    "no length or symbols": bare(Content_Location="bad", TOI=1),
    "no TOI": bare(Content_Location="bad", Content_Length=10),
    "TOI 0": flute.file_entry("bad", 0, 10),
    "a TOI in words": flute.file_entry("bad", "one", 10),
    "a TOI beyond 64 bits": flute.file_entry("bad", 1 << 64, 10),
    "a negative length": flute.file_entry("bad", 1, -10),
    "a length that is no number": flute.file_entry("bad", 1, "10k"),
    "two lengths": flute.file_entry("bad", 1, 10, **{"Content-Length": 11}),
    "a symbol length beyond 16 bits": flute.file_entry("bad", 1, 10, symbol=70000),
    "symbols of no bytes": flute.file_entry("bad", 1, 10, symbol=0),
    "blocks of no symbols": flute.file_entry("bad", 1, 10, block=0),
    "a FEC scheme that we do not have": flute.file_entry("bad", 1, 10,
                                                         **{"FEC-OTI-FEC-Encoding-ID": 130}),
    "a FEC scheme that is none": flute.file_entry("bad", 1, 10,
                                                  **{"FEC-OTI-FEC-Encoding-ID": "x"}),
}


def test_a_bad_entry_is_named_and_costs_no_other_file(t: Test) -> None:
    for i, (what, bad) in enumerate(BAD.items()):
        r, result = with_entries(t, [dict(bad)], 3, f"in{i}")
        refused = [f for f in result["files"] if f["state"] == "refused"]
        equal([f["name"] for f in refused], ["bad"], f"refused with {what}")
        check(len(refused[0].get("reason", "")) > 10, f"{what}: no reason in {refused}")
        equal([n for n in r.names() if n != "pagewire-gaps.json"], ["good.bin"], f"files: {what}")


def test_a_bad_entry_is_named_in_the_text(t: Test) -> None:
    r = Listener(t, as_text=True)
    s = r.sender()
    about, data = good()
    s.table([bare(Content_Location="poor.bin", TOI=1), about], complete=True)
    s.data(500, data)
    s.close()
    out = r.end_text(3)
    check(any(line.startswith("refused  poor.bin: ") for line in out.splitlines()), out)
    check("ok  good.bin" in out and "received 1 of 2 files" in out, out)


def test_entries_without_a_name_cost_no_other_file(t: Test) -> None:
    for i, bad in enumerate((bare(TOI=1, Content_Length=10), flute.file_entry("", 1, 10),
                             flute.file_entry("http://h/", 1, 10),
                             flute.file_entry("a%00b", 1, 10),
                             flute.file_entry("n" * 1025, 1, 10))):
        r, result = with_entries(t, [bad], 3, f"in{i}")
        equal(sorted(f["state"] for f in result["files"]), ["complete", "refused"], f"{bad}")
        equal([n for n in r.names() if n != "pagewire-gaps.json"], ["good.bin"], f"files: {bad}")


def test_many_bad_entries_around_good_ones(t: Test) -> None:
    bad: list[Entry] = []
    for i, (what, attributes) in enumerate(BAD.items()):
        if "TOI" not in what:
            bad.append({**attributes, "TOI": i + 1, "Content-Location": f"bad{i}"})
    _, result = with_entries(t, bad, 3, "in")
    equal(sorted(name for name, v in states(result).items() if v == ["refused"]),
          sorted(e["Content-Location"] for e in bad), "refused")


def test_symbols_are_described_by_the_data_packets(t: Test) -> None:
    """By EXT_FTI, where the table has no FEC parameters (RFC 6726 section 5)."""
    data = os.urandom(SIZE)
    for i, about in enumerate((
            bare(Content_Location="a.bin", TOI=1, Content_Length=SIZE),
            bare(Content_Location="a.bin", TOI=1, Transfer_Length=SIZE),
            bare(Content_Location="a.bin", TOI=1),
            {**bare(Content_Location="a.bin", TOI=1, Content_Length=SIZE), "pw:Digest": sha(data)},
            {**bare(Content_Location="a.bin", TOI=1), "pw:Digest": sha(data)},
            bare(Content_Location="a.bin", TOI=1, FEC_OTI_FEC_Encoding_ID=0))):
        for first in ("table", "data"):
            r = Listener(t, out=f"in{i}{first}")
            s = r.sender()
            if first == "data":
                s.data(1, data, fti=FTI)
            s.table([about], complete=True)
            if first == "table":
                s.data(1, data, fti=FTI)
            time.sleep(0.05)
            s.close()
            result = r.end(0)
            r.holds("a.bin", data)
            equal(states(result), {"a.bin": ["complete" if "pw:Digest" in about
                                             else "unverified"]}, f"{about}, {first} first")


def test_one_packet_with_ext_fti_among_others_is_enough(t: Test) -> None:
    """The packets before it cannot be placed; a second pass brings them again."""
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([bare(Content_Location="a.bin", TOI=1)], complete=True)
    packets = flute.data_packets(1, data)
    packets[4] = flute.data_packets(1, data, fti=FTI)[4]
    s.send(packets)
    time.sleep(0.1)
    s.send(packets)
    time.sleep(0.1)
    s.close()
    r.end(0)
    r.holds("a.bin", data)


def test_a_file_without_fec_parameters_is_refused_with_the_reason(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([bare(Content_Location="a.bin", TOI=1, Content_Length=SIZE)], complete=True)
    s.data(1, data)
    time.sleep(0.1)
    s.close()
    result = r.end(3)
    check("FEC-OTI" in reason(result, "a.bin"), f"{result['files']}")
    check(result["counters"]["unknown_toi"] > 0, "its packets are not counted")


def test_ext_fti_that_contradicts_the_table_does_not_damage_the_file(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    s.send([flute.packet(1, 0, 0, b"x" * 700, fti=(700, 700, 1)),
            flute.packet(1, 0, 0, b"x" * 700, fti=((1 << 48) - 1, 1, 1))])
    s.data(1, data)
    s.close()
    r.end(0)
    r.holds("a.bin", data)


def raw_deflate(data: bytes) -> bytes:
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


PACKERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes), "zlib": (1, zlib.compress), "deflate": (2, raw_deflate),
    "wrapped deflate": (2, zlib.compress), "gzip": (3, gzip.compress)}


def test_a_compressed_table_is_read(t: Test) -> None:
    for name, (algorithm, pack) in PACKERS.items():
        for count in (1, 60):  # one packet, and several
            r = Listener(t, out=f"in-{name}-{count}")
            s = r.sender()
            about, data = good()
            others = [entry(f"{os.urandom(20).hex()}", i, b"") for i in range(1, count)]
            s.xml(pack(flute.fdt_xml([*others, about], complete=True)), cenc=algorithm)
            s.data(500, data)
            s.close()
            result = r.end(0)
            equal(result["files_good"], count, f"files of a table packed by {name}")
            r.holds("good.bin", data)


def test_a_compressed_table_that_cannot_be_read_is_reported(t: Test) -> None:
    xml = flute.fdt_xml([flute.file_entry("never.bin", 1, 10)])
    bomb = gzip.compress(flute.fdt_xml([], extra=" " * (64 << 20)))
    bad = {"cut": (3, gzip.compress(xml)[:-9]), "gzip as zlib": (1, gzip.compress(xml)),
           "something behind it": (1, zlib.compress(xml) + b"more"), "no such way": (9, xml),
           "a bomb": (3, bomb), "not packed": (3, xml),
           "damaged": (3, gzip.compress(xml)[:40] + b"\0\0\0" + gzip.compress(xml)[43:])}
    for what, (algorithm, packed) in bad.items():
        r = Listener(t, out=f"in-{what}")
        s = r.sender()
        about, data = good()
        s.xml(packed, 7, cenc=algorithm)
        s.table([about], 8)
        s.data(500, data)
        s.close()
        result = r.end(0)
        r.holds("good.bin", data)
        equal(r.names(), ["good.bin"], f"files: {what}")
        check(result["counters"]["fdt_bad"] >= 1 or result["counters"]["malformed"] >= 1,
              f"{what} is not counted: {result['counters']}")
        check("FDT instance 7" in r.err or "FLUTE" in r.err, f"{what} is not named: {r.err}")


def test_a_bad_table_alone_is_reported(t: Test) -> None:
    r = Listener(t, as_text=True)
    s = r.sender()
    s.xml(gzip.compress(b"<html/>"), cenc=3)
    s.data(1, b"x" * 5000)
    r.end_text(3)
    check("FDT instance 0" in r.err and "cannot be used" in r.err, r.err)


def encoded(name: str, data: bytes, **more: Any) -> Entry:
    return {**flute.file_entry(name, 1, len(data), symbol=100), **more}


def test_a_file_with_content_encoding_is_refused(t: Test) -> None:
    """Encodings of the File, and those that it inherits from the FDT-Instance."""
    packed = gzip.compress(b"hello, world\n" * 800)
    for i, (instance, file) in enumerate((("gzip", None), ("x-gzip", None), ("GZIP", None),
                                          ("deflate", None), ("br", None), ("gzip, br", None),
                                          (None, "gzip"), (None, " gzip "), (None, "zlib"),
                                          ("identity", "gzip"), ("", "compress"))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        about = encoded("t.txt", packed, **({} if file is None else {"Content-Encoding": file}))
        if i % 2:  # Content-Length and Transfer-Length may differ here
            about["Content-Length"] = 13 * 800
        s.table([about], complete=True,
                attributes="" if instance is None else f'Content-Encoding="{instance}"')
        s.data(1, packed, symbol=100)
        s.close()
        result = r.end(3)
        r.lacks("t.txt")
        check("Content-Encoding" in reason(result, "t.txt"), f"{result['files']}")


def test_content_encoding_identity_is_accepted(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, (instance, file) in enumerate((("identity", None), ("gzip", "identity"),
                                          (None, "IDENTITY"), ("", None), (None, ""))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        about = entry("a.bin", 1, data)
        if file is not None:
            about["Content-Encoding"] = file
        s.table([about], complete=True,
                attributes="" if instance is None else f'Content-Encoding="{instance}"')
        s.data(1, data)
        s.close()
        if instance == "gzip" and not file:
            continue
        r.end(0)
        r.holds("a.bin", data)


def test_a_file_inherits_its_symbols_from_the_instance(t: Test) -> None:
    data = os.urandom(SIZE)
    attributes = ('FEC-OTI-FEC-Encoding-ID="0" FEC-OTI-Maximum-Source-Block-Length="64" '
                  'FEC-OTI-Encoding-Symbol-Length="1000"')
    r = Listener(t)
    s = r.sender()
    own = flute.file_entry("own.bin", 2, SIZE, symbol=500, block=8)
    s.table([bare(Content_Location="heir.bin", TOI=1, Content_Length=SIZE), own,
             {**bare(Content_Location="mixed.bin", TOI=3, Content_Length=SIZE),
              "FEC-OTI-Encoding-Symbol-Length": 700}], complete=True, attributes=attributes)
    s.data(1, data)
    s.data(2, data, symbol=500, block=8)
    s.data(3, data, symbol=700)
    s.close()
    r.end(0)
    for name in ("heir.bin", "own.bin", "mixed.bin"):
        r.holds(name, data)


def test_a_bad_attribute_of_the_instance_affects_only_files_that_inherit_it(t: Test) -> None:
    _, result = with_entries(t, [bare(Content_Location="bad", TOI=1, Content_Length=10)], 3, "in",
                             attributes='FEC-OTI-Encoding-Symbol-Length="many"')
    equal(states(result), {"good.bin": ["complete"], "bad": ["refused"]}, "states")


URIS = {"http://example.com/v/s1.m4s": "v/s1.m4s", "https://h:8080/a%20b": "a b",
        "file:///c.bin": "c.bin", "file://host/d/e.bin": "d/e.bin", "./f.bin": "f.bin",
        "g/./h.bin": "g/h.bin", "http://h/i.mpd?a=1#t=5": "i.mpd?a=1",
        "http://[::1]/j.bin": "j.bin", "k%C3%A4.bin": "kä.bin", "l%zz.bin": "l%zz.bin"}
UNSAFE = ("http://h/../up", "file:///../../up", "/etc/passwd", "//h/x", "a//b", "../up",
          "http://h/a/../../up", "http://h/%2e%2e/up", "http%3A//h/x", "x/..")


def test_absolute_uris_become_names_below_the_output_directory(t: Test) -> None:
    contents = {uri: os.urandom(700) for uri in URIS}
    r = Listener(t)
    s = r.sender()
    s.table([entry(uri, toi, contents[uri]) for toi, uri in enumerate(URIS, 1)], complete=True)
    for toi, uri in enumerate(URIS, 1):
        s.data(toi, contents[uri])
    s.close()
    r.end(0)
    for uri, name in URIS.items():
        r.holds(name, contents[uri])
    equal(r.names(), sorted(URIS.values()), "files")


def test_uris_outside_the_output_directory_are_refused(t: Test) -> None:
    r = Listener(t, out="deep/er/in")
    s = r.sender()
    about, data = good()
    s.table([*(entry(uri, toi, b"x" * 10) for toi, uri in enumerate(UNSAFE, 1)), about],
            complete=True)
    for toi in range(1, len(UNSAFE) + 1):
        s.data(toi, b"x" * 10)
    s.data(500, data)
    s.close()
    result = r.end(3)
    r.holds("good.bin", data)
    equal([f["name"] for f in result["files"] if f["state"] != "refused"], ["good.bin"], "taken")
    check(all("unsafe" in f["reason"] for f in result["files"] if f["state"] == "refused"),
          f"{result['files']}")
    found = [name for _, _, names in os.walk(t.path("deep")) for name in names]
    equal(sorted(set(found) - {"pagewire-gaps.json"}), ["good.bin"], "files anywhere")


def test_two_uris_of_the_same_name_are_one_file(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("http://a.example/v/x.bin", 1, data), entry("v/./x.bin", 2, data)],
            complete=True)
    s.data(1, data)
    s.close()
    r.end(0)
    r.holds("v/x.bin", data)


def test_the_last_symbol_may_be_padded(t: Test) -> None:
    for size in (10500, 10001, 10000, 300, 1):
        data = os.urandom(size)
        r = Listener(t, out=f"in{size}")
        s = r.sender()
        packets = flute.data_packets(1, data)
        n = flute.blocks(size, 1000, 64)
        last = flute.packet(1, len(n) - 1, n[-1] - 1,
                            data[(size - 1) // 1000 * 1000:].ljust(1000, b"\0"))
        s.table([entry("a.bin", 1, data)], complete=True)
        s.send([*packets[:-1], last])
        s.close()
        result = r.end(0)
        r.holds("a.bin", data)
        equal(result["bytes"], size, "bytes")


def test_symbols_of_a_wrong_length_are_not_placed(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    time.sleep(0.1)
    s.send([flute.packet(1, 0, 10, b"x" * n) for n in (499, 501, 999, 1001)]
           + [flute.packet(1, 0, 9, b"x" * n) for n in (500, 999, 1001)])
    s.data(1, data)
    s.close()
    result = r.end(0)
    r.holds("a.bin", data)
    equal(result["counters"]["out_of_object"], 7, "out_of_object")


def test_a_packet_may_carry_several_symbols(t: Test) -> None:
    """Consecutive symbols of one block (RFC 5775 section 2.3)."""
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data, symbol=100, block=35)], complete=True)
    packets, at = [], 0
    for sbn, n in enumerate(flute.blocks(SIZE, 100, 35)):
        for esi in range(0, n, 6):
            here = min(6, n - esi)
            packets.append(flute.packet(1, sbn, esi, data[at:at + 100 * here]))
            at += 100 * here
    s.send(packets)
    s.close()
    r.end(0)
    r.holds("a.bin", data)


def test_white_space_comments_and_other_elements_are_ignored(t: Test) -> None:
    data = os.urandom(SIZE)
    digest = sha(data)
    fec = (' FEC-OTI-FEC-Encoding-ID="\n0 " FEC-OTI-Maximum-Source-Block-Length=" 64\t" '
           'FEC-OTI-Encoding-Symbol-Length=" +01000 "')
    names = f'xmlns="{flute.NS}" xmlns:pw="{flute.PW_NS}"'
    file = f'Content-Location="a.bin" TOI=" 1 " Content-Length=" {SIZE}\n"{fec} pw:Digest="{digest}"'
    forms = {
        "comments": f'<!-- a --><FDT-Instance {names} Expires="1"><!-- <File TOI="9"/> -->'
                    f'<File {file}><!-- b --></File><!-- c --></FDT-Instance><!-- d -->',
        "other elements": f'<FDT-Instance {names}><x:Cache xmlns:x="urn:x">1</x:Cache>'
                          f'<File {file}><Cache-Control><Expires>3</Expires></Cache-Control></File>'
                          '</FDT-Instance>',
        "a prefix": f'<f:FDT-Instance xmlns:f="{flute.NS}" xmlns:pw="{flute.PW_NS}">'
                    f'<f:File {file}/></f:FDT-Instance>',
        "RFC 6726's namespace": '<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" '
                                f'xmlns:pw="{flute.PW_NS}"><File {file}/></FDT-Instance>',
        "no namespace": f'<FDT-Instance xmlns:pw="{flute.PW_NS}"><File {file}/></FDT-Instance>',
        "text and instructions": f'<?xml version="1.0"?>\n<?do it?><FDT-Instance {names}>\n text '
                                 f'<![CDATA[ x ]]><File\n{file}\n>\n</File >\n</FDT-Instance>\n',
    }
    for i, (what, xml) in enumerate(forms.items()):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.xml(xml.encode())
        s.data(1, data)
        time.sleep(0.05)
        s.close()
        result = r.end(0)
        equal(states(result), {"a.bin": ["complete"]}, what)
        r.holds("a.bin", data)


def test_symbols_that_come_before_their_table_are_kept(t: Test) -> None:
    data = os.urandom(300500)
    r = Listener(t)
    s = r.sender()
    s.data(1, data)
    time.sleep(0.2)
    s.table([entry("a.bin", 1, data)], complete=True)
    s.close()
    result = r.end(0)
    r.holds("a.bin", data)
    equal(result["counters"]["unknown_toi"], 0, "unknown_toi")


def test_an_object_that_no_table_names_is_counted(t: Test) -> None:
    r = Listener(t)
    s = r.sender()
    about, data = good()
    s.table([about], complete=True)
    s.data(77, b"x" * 5000)
    s.data(500, data)
    s.close()
    result = r.end(0)
    equal(result["counters"]["unknown_toi"], 5, "unknown_toi")
    equal(r.names(), ["good.bin"], "files")
