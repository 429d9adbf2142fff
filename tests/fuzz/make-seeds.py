#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_packet, fuzz_frames, fuzz_fdt and fuzz_repair: packets put together from the RFCs' layouts by
other means than lib/wire's. Run it in tests/fuzz; the seeds are committed."""
import base64
import gzip
import pathlib
import struct
import zlib

OWN4 = bytes([192, 0, 2, 1])  # fuzz_packet.c's own address, in both families
OWN6 = OWN4 + bytes(12)
PEER4 = bytes([192, 0, 2, 9])
PEER6 = bytes.fromhex('fe800000000000000000000000000009')
GROUP4 = bytes([239, 1, 2, 3])
GROUP6 = bytes.fromhex('ff150000000000000000000000000001')
MAC = bytes.fromhex('020000000009')
NTP = 3990000000


def csum(data):
    data += b'\0' * (len(data) % 2)
    s = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def eth(ethertype, body, vlan=None):
    tag = b'' if vlan is None else struct.pack('!HH', 0x8100, vlan)
    return bytes.fromhex('01005e010203') + MAC + tag + struct.pack('!H', ethertype) + body


def ipv4(body, proto=17, frag=0x4000, options=b''):
    ihl = 5 + len(options) // 4
    h = struct.pack('!BBHHHBBH', 0x40 | ihl, 0, 4 * ihl + len(body), 0, frag, 1, proto, 0)
    h += PEER4 + GROUP4 + options
    return h[:10] + struct.pack('!H', csum(h)) + h[12:] + body


def ipv6(body, nxt=17, src=PEER6, dst=GROUP6, hops=255):
    return struct.pack('!IHBB', 6 << 28, len(body), nxt, hops) + src + dst + body


def udp(body, pseudo=None, length=None):
    n = 8 + len(body) if length is None else length
    d = struct.pack('!HHHH', 40000, 4001, n, 0) + body
    if pseudo:
        d = d[:6] + struct.pack('!H', csum(pseudo + struct.pack('!IHBB', n, 0, 0, 17) + d)) + d[8:]
    return d


def lct(tsi=1, toi=1, ext=b'', s=0, o=0, h=1, c=0, flags=0, version=1, cp=0, hdr_len=None):
    cci = bytes(4 * (c + 1))
    ids = tsi.to_bytes(4 * s + 2 * h, 'big') + toi.to_bytes(4 * o + 2 * h, 'big')
    n = 1 + (len(cci) + len(ids) + len(ext)) // 4 if hdr_len is None else hdr_len
    word = version << 12 | c << 10 | s << 7 | o << 5 | h << 4 | flags
    return struct.pack('!HBB', word, n, cp) + cci + ids + ext


def fec(sbn, esi, payload=b'payload of a file'):
    return struct.pack('!HH', sbn, esi) + payload


def ext_fdt(instance, version=2):
    return struct.pack('!I', 192 << 24 | version << 20 | instance)


def ext_fti(length, symbol=1440, sbl=4096):
    return struct.pack('!BBHI', 64, 4, length >> 32, length & 0xffffffff) + \
        struct.pack('!HHI', 0, symbol, sbl)


def arp(op, target):
    return eth(0x0806, struct.pack('!HHBBH', 1, 0x800, 6, 4, op) + MAC +
               (target if op == 2 else PEER4) + bytes(6) + target + bytes(18))


def ndp(kind, flags, src, dst, target, option):
    m = struct.pack('!BBHI', kind, 0, 0, flags) + target + option
    c = csum(src + dst + struct.pack('!II', len(m), 58) + m)
    return eth(0x86dd, ipv6(m[:2] + struct.pack('!H', c) + m[4:], 58, src, dst))


table = f'<FDT-Instance Expires="{NTP}"/>'.encode()
narrow = lct() + fec(0, 3)
wide = lct(0x12345678, 0x10000, s=1, o=1, h=0) + fec(1, 2)
fdt_packet = lct(1, 0, ext_fdt(5) + ext_fti(len(table), 1412)) + fec(0, 0, table)
pseudo4, pseudo6 = PEER4 + GROUP4, PEER6 + GROUP6
node6 = bytes.fromhex('ff0200000000000000000001ff') + OWN6[13:]

packets = {
    'v4-data': eth(0x800, ipv4(udp(narrow))),
    'v4-wide-vlan': eth(0x800, ipv4(udp(wide)), 100),
    'v4-fdt-checksum': eth(0x800, ipv4(udp(fdt_packet, pseudo4))),
    'v4-checksum-wrong': eth(0x800, ipv4(udp(fdt_packet, pseudo4)[:-1] + b'!')),
    'v4-padded': eth(0x800, ipv4(udp(lct() + fec(0, 0, b'')))) + bytes(9),
    'v4-options': eth(0x800, ipv4(udp(narrow), options=bytes([1, 1, 1, 0]))),
    'v4-fragment': eth(0x800, ipv4(udp(narrow), frag=0x2000)),
    'v4-tcp': eth(0x800, ipv4(udp(narrow), proto=6)),
    'v4-udp-length': eth(0x800, ipv4(udp(narrow, length=5))),
    'v4-cut': eth(0x800, ipv4(udp(narrow)))[:40],
    'v6-data': eth(0x86dd, ipv6(udp(narrow, pseudo6))),
    'v6-fdt-vlan': eth(0x86dd, ipv6(udp(fdt_packet, pseudo6)), 4094),
    'v6-fragment': eth(0x86dd, ipv6(bytes([17, 0, 0, 1, 0, 0, 0, 7]) + udp(narrow), 44)),
    'v6-length': eth(0x86dd, ipv6(udp(narrow)))[:-4],
    'alc-data': narrow,
    'alc-fdt': fdt_packet,
    'alc-cci-128': lct(c=3) + fec(7, 7),
    'alc-tsi48-toi112': lct(1 << 40, 5, s=1, o=3) + fec(0, 1),
    'alc-toi-too-wide': lct(1, 1 << 90, s=1, o=3) + fec(0, 1),
    'alc-no-ids': lct(0, 0, h=0) + fec(0, 1),
    'alc-close': lct(flags=3),
    'alc-close-padded': lct(flags=2) + bytes(3),
    'alc-extensions': lct(ext=bytes([2, 2]) + bytes(6) + bytes([0, 1, 0, 0]) +
                          bytes([193, 1, 0, 0]) + ext_fti(1 << 40)) + fec(65535, 65535),
    'alc-fti-extremes': lct(toi=0, ext=ext_fdt(0xfffff, 15) +
                            ext_fti((1 << 48) - 1, 65535, 0xffffffff)) + fec(65535, 65535),
    'alc-fti-zero': lct(toi=0, ext=ext_fdt(0) + ext_fti(0, 0, 0)) + fec(0, 0),
    'alc-ext-empty': lct(ext=bytes([1, 0, 0, 0])) + fec(0, 0),
    'alc-ext-long': lct(ext=bytes([1, 9, 0, 0])) + fec(0, 0),
    'alc-hdr-short': lct(hdr_len=2) + fec(0, 0),
    'alc-hdr-long': lct(hdr_len=255) + fec(0, 0),
    'alc-version-2': lct(version=2) + fec(0, 0),
    'alc-reed-solomon': lct(ext=bytes([64, 3]) + bytes(5) + bytes([100, 5, 160, 20, 24]), cp=5) +
                        fec(0x0001, 0x0217),
    'alc-raptorq': lct(cp=6) + fec(0, 0),
    'arp-request': arp(1, OWN4),
    'arp-reply': arp(2, OWN4),
    'ndp-solicit': ndp(135, 0, PEER6, node6, OWN6, bytes([1, 1]) + MAC),
    'ndp-solicit-probe': ndp(135, 0, bytes(16), node6, OWN6, b''),
    'ndp-advert': ndp(136, 0x60000000, OWN6, PEER6, OWN6, bytes([14, 1]) + bytes(6) +
                      bytes([2, 1]) + MAC),
}

NS = 'xmlns="urn:IETF:metadata:2005:FLUTE:FDT"'
OTI = ('FEC-OTI-FEC-Encoding-ID="0" FEC-OTI-Maximum-Source-Block-Length="4096" '
       'FEC-OTI-Encoding-Symbol-Length="1440"')
FILE = '<File Content-Location="{}" TOI="{}" Content-Length="9"/>'


def inst(body, attrs='', name='FDT-Instance'):
    return f'<?xml version="1.0"?>\n<{name} Expires="{NTP}" {attrs}>{body}</{name}>'


tables = {
    'full': inst(f'<File Content-Location="dir/a%20b%C3%A9.img" TOI="1" Content-Length="5000" '
                 f'Transfer-Length="5000" {OTI} Content-MD5="rL0Y20zC+Fzt72VPzMSk2A==" '
                 f'pw:Digest="xxh3-128:00112233445566778899aabbccddeeff"/>',
                 f'{NS} xmlns:pw="urn:pagewire:fdt:1" Complete="true" pw:Files="3"'),
    'rfc6726-namespace': inst(FILE.format('a', 1), 'xmlns="urn:ietf:params:xml:ns:fdt" ' + OTI),
    'no-namespace': inst(FILE.format('a', 1) + FILE.format('b', 2), OTI),
    'prefix': inst('<f:File Content-Location="x" TOI="7" Transfer-Length="0"/>',
                   'xmlns:f="urn:ietf:params:xml:ns:fdt"', 'f:FDT-Instance'),
    'sha-256': inst('<File Content-Location="s" TOI="2" Content-Length="1" '
                    f'pw:Digest="sha-256:{"5a" * 32}"/>', 'xmlns:pw="urn:pagewire:fdt:1"'),
    'md5-broken': inst('<File Content-Location="s" TOI="2" Content-Length="1" '
                       'Content-MD5="rL0Y20zC+Fzt72VP~MSk2A=="/>'),
    'foreign-file': inst('<x:File xmlns:x="urn:x" TOI="9"/>' + FILE.format('a', 1)),
    'children': inst('<File Content-Location="a" TOI="1" Content-Length="1"><c><d/></c>t</File>'),
    'comment-cdata': inst('<!-- c --><![CDATA[text]]>' + FILE.format('a', 1) + '<?pi x?>'),
    'comment-markup': inst('<!-- <File> -->' + FILE.format('a', 1)),
    'file-uri': inst(FILE.format('file:///etc/x', 1)),
    'escapes': inst(FILE.format('%41%zz%4&amp;&#233;%ff', 1)),
    'escaped-nul': inst(FILE.format('a%00b', 1)),
    'traversal': inst(FILE.format('../../%2e%2e/etc/passwd', 1)),
    'gzip': inst('<File Content-Location="a" TOI="1" Content-Length="1" Content-Encoding="gzip"/>'),
    'toi-max': inst(FILE.format('a', (1 << 64) - 1)),
    'toi-zero': inst(FILE.format('a', 0)),
    'number-bad': inst(FILE.format('a', '1e9')),
    'length-missing': inst('<File Content-Location="a" TOI="1"/>'),
    'length-too-big': inst(f'<File Content-Location="a" TOI="1" Content-Length="{1 << 48}"/>'),
    'doctype': '<!DOCTYPE a [<!ENTITY e "x"><!ENTITY f "&e;&e;">]>' + inst('&f;'),
    'entity': inst('&external;' + FILE.format('a', 1)),
    'other-root': inst(FILE.format('a', 1), name='FDT'),
    'deep': inst('<a>' * 20 + '</a>' * 20),
    'attributes': inst('<File ' + ' '.join(f'a{i}=""' for i in range(70)) + '/>'),
    'encoding': inst(FILE.format('a', 1)).replace('?>', ' encoding="UTF-16"?>', 1),
    'cut': inst(FILE.format('a', 1))[:-5],
    'empty': '',
    'way-back': inst(FILE.format('a', 1), 'xmlns:pw="urn:pagewire:fdt:1" pw:Round="3" pw:Ask="true" '
                     'pw:Repair="http://10.0.0.1:80/0123456789abcdef0123456789abcdef"'),
    'mode-mtime': inst('<File Content-Location="m" TOI="1" Content-Length="1" pw:Mode="100644" '
                       'pw:MTime="-1700000000123456789"/>', 'xmlns:pw="urn:pagewire:fdt:1"'),
    'white-space': inst('<File Content-Location=" a " TOI=" +01 " Content-Length="\n9&#9;"/>', OTI),
    'uris': inst(''.join(FILE.format(u, i + 1) for i, u in enumerate(
        ['http://h/v/s1?q=/./#f', './a/./b/.', 'a://b', '//h/x', '%2e/x', 'urn:a:b']))),
    'faults': inst('<File/>' + FILE.format('', 1) + FILE.format('good', 2) + FILE.format('z', 0)),
    'instance-gzip': inst('<File Content-Location="a" TOI="1" Transfer-Length="7"/>',
                          'Content-Encoding="gzip" FEC-OTI-Encoding-Symbol-Length="x"'),
}
leaves = 'sha-256 1048576 ' + base64.b64encode(bytes(range(96))).decode()
signed = inst(f'<File Content-Location="s" TOI="1" Content-Length="3000000" {OTI} '
              f'pw:Digest="sha-256-tree:{"5a" * 32}" pw:Leaves="{leaves}"/>',
              f'{NS} xmlns:pw="urn:pagewire:fdt:1" pw:Sequence="1795837009620478"')
tables['signed'] = (signed + '<?pagewire-signature ed25519 0123456789abcdef ' +
                    base64.b64encode(bytes(64)).decode() + '?>')
tables['signed-cut'] = tables['signed'][:-9]
tables['leaves-many'] = signed.replace('3000000', '900000')
tables['leaves-other-size'] = signed.replace('1048576', '2097152')
raw = zlib.compressobj(9, wbits=-15)
tables['packed-raw'] = raw.compress(tables['full'].encode()) + raw.flush()
tables['packed-zlib'] = zlib.compress(tables['full'].encode(), 9)
tables['packed-gzip'] = gzip.compress(b'<a>', mtime=0) + gzip.compress(b'</a>', mtime=0)
tables['packed-bomb'] = zlib.compress(bytes(1 << 20), 9)

GAPS = ('{"schema": "pagewire.gaps/1", "tsi": 7, "files": [{"name": "a", "bytes": 9, "missing": '
        '[[0, 4], [6, 9]]}], "unnamed": 2, "named": ["b"]}')
packed = gzip.compress(GAPS.encode(), mtime=0)
messages = {
    'report': '\0{"receiver": "0123456789abcdef", "name": "h", "files": 2, "bytes": 7}',
    'report-bad': '\0{"receiver": "0123456789abcdef", "files": -1}',
    'gaps': b'\1' + packed,
    'gaps-two-members': b'\1' + gzip.compress(GAPS[:20].encode(), mtime=0)
                        + gzip.compress(GAPS[20:].encode(), mtime=0),
    'gaps-cut': b'\1' + packed[:-9],
    'gaps-bomb': b'\1' + gzip.compress(bytes(1 << 24), 9, mtime=0) * 2,
    'address': '\2http://10.0.0.1:8080/0123456789abcdef0123456789abcdef',
    'address-ipv6': '\2http://[fd00::1]:80/0123456789abcdef0123456789abcdef',
    'address-bad': '\2http://u@10.0.0.1:80/0123456789abcdef0123456789abcdef?x',
}

# Behind a byte that selects the edits.
tcp = struct.pack('!HHIIHHHH', 40000, 443, 1, 2, 0x5010, 512, 0, 0) + b'GET /'
options = bytes([60, 0, 1, 4, 0, 0, 0, 0])
frames = {
    'v4-tcp': eth(0x800, ipv4(tcp, 6)),
    'v4-options': eth(0x800, ipv4(tcp, 6, options=bytes(40))),
    'v4-fragment': eth(0x800, ipv4(tcp, 6, 0x2001)),
    'v4-udp-zero': eth(0x800, ipv4(udp(narrow))),
    'v4-length-0': eth(0x800, ipv4(tcp, 6)).replace(b'E\0\0-', b'E\0\0\0'),
    'v4-cut': eth(0x800, ipv4(tcp, 6))[:45],
    'v4-qinq': eth(0x88a8, struct.pack('!HHHH', 7, 0x9100, 8, 0x800) + ipv4(tcp, 6), 3),
    'tags-many': eth(0x88a8, struct.pack('!HH', 7, 0x8100) * 5 + ipv4(tcp, 6), 3),
    'tag-cut': eth(0x800, b'', 3)[:16],
    'v6-tcp': eth(0x86dd, ipv6(tcp, 6)),
    'v6-icmp': packets['ndp-solicit'],
    'v6-options': eth(0x86dd, ipv6(options * 3 + bytes([17]) + options[1:] + udp(narrow), 0)),
    'v6-options-many': eth(0x86dd, ipv6(options * 9, 60)),
    'v6-routing': eth(0x86dd, ipv6(bytes([6, 0, 4, 1, 0, 0, 0, 0]) + tcp, 43)),
    'v6-fragment': eth(0x86dd, ipv6(bytes([17, 0, 0, 9, 0, 0, 0, 7]) + udp(narrow), 44)),
    'v6-authentication': eth(0x86dd, ipv6(bytes([6, 1]) + bytes(10) + tcp, 51)),
    'v6-sctp': eth(0x86dd, ipv6(tcp, 132)),
    'arp': packets['arp-request'],
    'llc': eth(100, bytes(60)),
}
frames = {name: bytes([i]) + data for i, (name, data) in enumerate(frames.items())}
cache = b'tcpprep\0' + b'04\0\0' + struct.pack('!QHH', 6, 4, 2) + b'hi\xe4\x0e'
frames.update({'cache': cache, 'cache-cut': cache[:-1], 'cache-many': cache.replace(bytes(7), b'\xff' * 7)})

for corpus, seeds in (('packet', packets), ('frames', frames), ('fdt', tables), ('repair', messages)):
    for name, data in seeds.items():
        path = pathlib.Path('corpus', corpus, name)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
