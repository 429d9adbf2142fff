# SPDX-License-Identifier: BSD-3-Clause
"""Each error is one clear line with the right exit code, and leaves nothing behind."""
import os
import socket
import time

from harness import check, equal, exclusive, once

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

RUNTIME, USAGE, NO_ENVIRONMENT = 1, 2, 77


def check_error(p, code, *words):
    """Checks that p ended with the code and one error line that contains the words; stdout is empty."""
    p.ends_with(code)
    errors = [line for line in p.err.splitlines() if "pagewire: error: " in line]
    lines = [line for line in p.err.splitlines() if not line.startswith("pagewire: ")]
    if code == USAGE:  # "pagewire send: ..."
        equal(len(p.err.splitlines()), 1, "lines on stderr")
        check(p.err.startswith("pagewire"), p.err)
    else:
        equal(len(errors), 1, f"error lines in {p.err!r}")
        check(errors[0].startswith("pagewire: error: "), errors[0])
        equal(lines, [], "lines on stderr that are not pagewire's")
    text = p.err if code == USAGE else errors[0]
    for word in words:
        check(word in text, f"no {word!r} in: {text}")
    equal(p.out, "", "stdout")


def send_error(t, code, words, *args, file=None, port="null", to="239.77.0.1"):
    files = [file or t.file("a.bin", 10000)]
    before = sorted(os.listdir(t.dir))
    check_error(t.run("send", *files, "--port", port, "--to", to, "--no-huge", *args), code, *words)
    equal(sorted(os.listdir(t.dir)), before, "files in the working directory")


def recv_error(t, code, words, *args):
    check_error(t.run("recv", *args), code, *words)


def test_unknown_commands_and_options_are_named(t):
    check_error(t.run("frobnicate"), USAGE, "frobnicate", "--help")
    send_error(t, USAGE, ["--colour", "--help"], "--colour", "red")
    send_error(t, USAGE, ["--ratee", "--rate"], "--ratee", "1Gbit/s")


def test_missing_operands_and_options_are_named(t):
    file = t.file("a.bin", 10)
    check_error(t.run("send", file, "--port", "null"), USAGE, "--to")
    check_error(t.run("send", file, "--to", "239.77.0.1"), USAGE, "--port")
    check_error(t.run("send", "--port", "null", "--to", "239.77.0.1"), USAGE, "FILE")
    recv_error(t, USAGE, ["--out"], "--listen", "239.77.0.1")
    recv_error(t, USAGE, ["--port", "--listen"], "--out", t.dir)


def test_values_out_of_range_are_named_with_their_range(t):
    send_error(t, USAGE, ["--symbol", "'0'"], "--symbol", "0")
    send_error(t, USAGE, ["--symbol", "1500", "--mtu"], "--symbol", "1457")
    send_error(t, USAGE, ["--mtu", "576"], "--mtu", "575")
    send_error(t, USAGE, ["--mtu", "65535"], "--mtu", "65536")
    send_error(t, USAGE, ["--vlan", "4095"], "--vlan", "4095")
    send_error(t, USAGE, ["--rate", "Gbit/s"], "--rate", "5")
    send_error(t, USAGE, ["--fdt-interval"], "--fdt-interval", "5")
    send_error(t, USAGE, ["--to-mac"], "--to-mac", "02:00:00")
    send_error(t, USAGE, ["--to", "nonsense"], to="nonsense")


def test_pacing_hw_is_refused_where_the_port_cannot_and_auto_paces_by_software(t):
    hw = ("--pacing", "hw", "--rate")
    send_error(t, RUNTIME, ["net_null", "does not offer", "--pacing sw"], *hw, "10Mbit/s")
    send_error(t, RUNTIME, ["net_vhost", "does not offer"], *hw, "10Mbit/s", "--wait", "1h",
               port=f"vhost:{t.path('w.sock')}")  # refused before a peer connects
    send_error(t, USAGE, ["--rate"], "--pacing", "hw")
    send_error(t, USAGE, ["bit/s"], *hw, "2kpps")
    send_error(t, USAGE, ["--burst-limit"], *hw, "10Mbit/s", "--burst-limit", "3")
    send_error(t, USAGE, ["3 queues"], *hw, "2Mbit/s", "--queues", "3")
    for args, pacing in (((), "none"), (("--rate", "10Gbit/s"), "sw"),
                         (("--rate", "10Gbit/s", "--pacing", "auto"), "sw")):
        p = t.run("send", t.file("a.bin", 10), "--port", "null", "--to", "239.77.0.1", "--no-huge",
                  "--json", *args).ends_with(0)
        equal(p.json["pacing"], pacing, f"pacing with {args}")


def test_unknown_ports_are_named(t):
    send_error(t, USAGE, ["nosuch:x", "vhost:PATH"], port="nosuch:x")
    send_error(t, NO_ENVIRONMENT, ["net_nosuch0", "driver"], port="net_nosuch0")
    send_error(t, NO_ENVIRONMENT, ["0000:ff:1f.7", "doctor"], port="0000:ff:1f.7")
    p = t.run("doctor", "--port", "0000:ff:1f.7").ends_with(RUNTIME)
    check("cannot examine 0000:ff:1f.7: there is no such PCI device" in p.err and not p.out, p.err + p.out)
    for kind in ("af_packet", "af_xdp"):
        send_error(t, NO_ENVIRONMENT, ["pwnone0", "ip link"], port=f"{kind}:pwnone0")


def test_missing_directories_are_named(t):
    there = t.path("none")
    send_error(t, RUNTIME, [there, "mkdir -p"], port=f"pcap:{there}/x.pcap")
    send_error(t, RUNTIME, [there, "mkdir -p"], port=f"vhost:{there}/w.sock")
    recv_error(t, RUNTIME, [there, "mkdir -p"], "--port", f"memif:{there}/w.sock", "--no-huge",
               "--out", t.dir)


def test_a_missing_peer_is_named_after_the_wait(t):
    sock = t.path("w.sock")
    for port in (f"vhost:{sock}", f"virtio-user:{sock}", f"memif:{sock}"):
        send_error(t, RUNTIME, [sock, "other side", "--wait"], "--wait", "500ms", port=port)
    recv_error(t, RUNTIME, [sock, "other side", "--wait"], "--port", f"virtio-user:{sock}",
               "--no-huge", "--wait", "500ms", "--out", t.dir)


def test_a_socket_without_listener_is_waited_for_like_a_missing_one(t):
    sock = t.path("w.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(sock)
    for port in (f"virtio-user:{sock}", f"memif:{sock}"):
        start = time.monotonic()
        send_error(t, RUNTIME, [sock, "no process listens", "--wait"], "--wait", "3s", port=port)
        check(time.monotonic() - start >= 3, "it did not wait")
    os.unlink(sock)


def test_an_ordinary_file_or_a_socket_in_use_is_not_replaced(t):
    ordinary = t.file("ordinary", 10)
    send_error(t, RUNTIME, [ordinary, "remove it"], port=f"vhost:{ordinary}")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(t.path("used.sock"))
        s.listen()
        send_error(t, RUNTIME, ["used.sock", "listens"], port=f"vhost:{t.path('used.sock')}")
    os.unlink(t.path("used.sock"))


def test_files_that_cannot_be_sent_are_named(t):
    send_error(t, RUNTIME, ["none.bin", "No such file"], file="none.bin")
    send_error(t, RUNTIME, ["/dev/null"], file="/dev/null")
    ordinary = t.file("ordinary", 10)
    send_error(t, RUNTIME, ["ordinary", "not on hugetlbfs", "pagewire stage"], "--pages",
               "hugefile", file=ordinary)
    os.mkfifo(t.path("fifo"))
    send_error(t, RUNTIME, ["fifo"], file=t.path("fifo"))
    os.mkdir(t.path("empty"))
    send_error(t, RUNTIME, ["no file"], file=t.path("empty"))


def test_files_that_a_receiver_refuses_are_warned_of(t):
    os.makedirs(t.path("d", "empty", "deeper"))
    os.makedirs(t.path("d", "pagewire-gaps.json"))
    for name in ("ok", "n" * 251, "a\nb", "a\x7f", "a\u009bb", "x.part", "pagewire-gaps.json/x"):
        with open(t.path("d", name), "w", encoding="utf-8") as f:
            f.write("x")
    os.symlink("ok", t.path("d", "link"))
    os.mkfifo(t.path("d", "fifo"))
    args = ("--port", "null", "--to", "239.77.0.1", "--no-huge", "--json")
    p = t.run("send", t.path("d"), "/proc/cpuinfo", *args).ends_with(0)
    text = "\n".join(p.json["warnings"])
    for part in ("longer than 250 bytes", "a?b: ", "a?: ", "a??b: ", "d/x.part: ",
                 "d/empty/deeper is an empty directory", "d/link is neither", "d/fifo is neither",
                 "/proc/cpuinfo has no size"):
        check(part in text, f"no '{part}' in {text}")
    check("d/ok" not in text and "d/empty is" not in text, text)
    equal(p.json["n_warnings"], len(p.json["warnings"]), "warnings")
    equal(p.err.count("pagewire: warning: "), p.json["n_warnings"], f"lines of {p.err}")
    p = t.run("send", t.path("d", "pagewire-gaps.json"), *args).ends_with(0)
    check("gap manifest" in p.err, p.err)


def test_at_most_20_warnings_are_printed(t):
    os.mkdir(t.path("d"))
    for i in range(30):
        t.file(f"d/{i}.part", 1)
    p = t.run("send", t.path("d"), "--port", "null", "--to", "239.77.0.1", "--no-huge",
              "--json").ends_with(0)
    equal((len(p.json["warnings"]), p.json["n_warnings"]), (20, 30), "warnings")
    check(p.err.count("pagewire: warning: ") == 21 and "... and 10 more" in p.err, p.err)


def test_two_files_with_the_same_name_are_refused(t):
    one, two = t.file("x/a.bin", 10), t.file("y/a.bin", 10)
    p = t.run("send", one, two, "--port", "null", "--to", "239.77.0.1", "--no-huge")
    check_error(p, RUNTIME, "a.bin")


def test_missing_cpus_are_named(t):
    send_error(t, RUNTIME, ["--core", "1000"], "--core", "1000")
    send_error(t, RUNTIME, ["--core", "one"], "--core", "one")


@once
def test_an_address_without_an_answer_to_arp_or_ndp_is_named(t):
    send_error(t, RUNTIME, ["10.1.2.3", "ARP", "--to-mac"], to="10.1.2.3", port="null")
    send_error(t, RUNTIME, ["fd00::3", "NDP", "--to-mac"], to="[fd00::3]", port="null")


def test_an_mtu_above_the_interfaces_is_refused_with_the_fix(t):
    t.veth()
    p = t.run("send", t.file("a.bin", 10), "--port", "af_packet:va0", "--to", "239.77.0.1",
              "--no-huge", "--mtu", "9000", ns="a")
    check_error(p, RUNTIME, "9000", "1500", "ip link set va0 mtu 9000")


def test_without_free_huge_pages_send_warns_with_the_fix(t):
    """Asks for twice the machine's memory, which no pool of huge pages can have."""
    t.need_root()
    with open("/proc/meminfo", encoding="ascii") as f:
        mib = int(f.readline().split()[1]) // 1024
    p = t.run("send", t.file("a.bin", 10), "--port", "null", "--to", "239.77.0.1", "--memory",
              f"{2 * mib}MiB", "--json").ends_with(0)
    equal(p.json["huge"], False, "huge")
    check(p.err.startswith("pagewire: warning: ") and "costs" in p.err
          and "pagewire doctor: hugepages.free" in p.err, p.err)


@exclusive
def test_a_file_that_does_not_fit_into_the_hugepages_is_named(t):
    mount = t.hugetlbfs()
    stat = os.statvfs(mount)
    with open(t.path("big.bin"), "wb") as f:
        f.truncate(stat.f_blocks * stat.f_frsize + 1)
    p = t.run("stage", t.path("big.bin"), "--to", mount)
    check_error(p, NO_ENVIRONMENT, "big.bin", "hugepages.free")
    equal(os.listdir(mount), [], "left on hugetlbfs")


def test_the_receiver_names_what_it_cannot_use(t):
    none, ordinary = t.path("none"), t.file("ordinary", 10)
    recv_error(t, RUNTIME, [none, f"mkdir -p {none}"], "--listen", "127.0.0.1", "--out", none)
    recv_error(t, RUNTIME, [ordinary], "--listen", "127.0.0.1", "--out", ordinary)
    recv_error(t, RUNTIME, ["10.99.99.99", "ip -br addr"], "--listen", "10.99.99.99", "--out", t.dir)
    recv_error(t, NO_ENVIRONMENT, ["pwnone0", "ip -br link"], "--listen", "239.77.0.1",
               "--interface", "pwnone0", "--out", t.dir)
    recv_error(t, RUNTIME, ["none.json", "leave out --resume"], "--listen", "127.0.0.1",
               "--resume", "--gaps", "none.json", "--out", t.dir)


def test_resume_without_a_manifest_reports_it_and_receives(t):
    p = t.run("recv", "--listen", f"127.0.0.1:{t.free_udp_port()}", "--resume", "--out", t.mkdir("in"),
              "--timeout", "200ms")
    p.ends_with(3)
    check("nothing to resume" in p.err and "listening" in p.err, p.err)


def test_gap_manifests_that_cannot_be_read_are_named(t):
    send_error(t, RUNTIME, ["none.json"], "--gaps", "none.json")
    send_error(t, RUNTIME, ["gap manifest", "junk.json"], "--gaps", t.file("junk.json", 100))
    with open(t.path("other.json"), "w", encoding="utf-8") as f:
        f.write('{"schema": "pagewire.recv/1"}')
    send_error(t, RUNTIME, ["gap manifest"], "--gaps", t.path("other.json"))


def test_configuration_errors_name_file_and_line(t):
    with open(t.path("x.ini"), "w", encoding="utf-8") as f:
        f.write("[common]\nmtu = 1500\n[send]\ncolour = red\n")
    send_error(t, USAGE, ["x.ini", "4", "colour"], "--config", t.path("x.ini"))
    send_error(t, USAGE, ["none.ini"], "--config", t.path("none.ini"))


@exclusive
def test_stage_names_what_it_cannot_use(t):
    file = t.file("a.bin", 10)
    check_error(t.run("stage", file, "--to", t.dir), RUNTIME, t.dir, "hugetlbfs")
    mount = t.hugetlbfs()
    check_error(t.run("stage", t.path("none"), "--to", mount), RUNTIME, "none")
    t.stage(file)
    check_error(t.run("stage", file, "--to", mount), RUNTIME, "a.bin", "--force")
