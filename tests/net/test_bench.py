# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench`: every way delivers the file, failures are reported, nothing is left behind.

Speed is not tested. The bench's network namespaces have no names, and its file systems are mounted in a
private mount namespace: both end with its processes, which the harness finds.
"""
import csv
import io
import json
import os
import signal
import time

from harness import HERE, Skip, check, concurrent, equal, once, poll_until

ALONE = True  # these tests see what a bench leaves behind, and when it is interrupted

SYMBOL = 1440  # bytes of a file in a packet at MTU 1500, IPv4
ODD_SIZES = ["0", f"{SYMBOL}B", f"{SYMBOL + 1}B", "100001B"]
FAST = ["--rounds", "1", "--stretch", "5ms", "--no-evidence", "--rate", "800Mbit/s", "--json"]


def namespaces():
    """Network namespaces that outlive their processes: bound to a path. Those of other tests are left out."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        paths = {line.split()[4] for line in f if " - nsfs " in line}
    return {path for path in paths if not path.startswith("/run/netns/pw")}


def work_directories():
    return {name for where in ("/tmp", "/dev/shm") if os.path.isdir(where)
            for name in os.listdir(where) if name.startswith("pagewire-bench.")}


class Clean:
    """Checks that a bench leaves no namespace, interface or work directory. The harness checks processes."""

    def __init__(self, directories=True):
        self.directories = directories

    def __enter__(self):
        self.before = namespaces(), os.listdir("/sys/class/net"), work_directories()

    def __exit__(self, kind, value, trace):
        if kind:
            return
        equal(namespaces() - self.before[0], set(), "namespaces")
        left = set(os.listdir("/sys/class/net")) - set(self.before[1])
        equal({name for name in left if name.startswith("pw")}, set(), "interfaces")
        if self.directories:
            # another bench on this machine removes its own
            poll_until(lambda: work_directories() <= self.before[2], 60, "no work directory is left")


def bench(t, *args, code=0, seconds=120):
    p = t.run("bench", *args, seconds=seconds).wait(seconds)
    if p.code == 3 != code:
        void = [(row["label"], row["file_bytes"], s["round"], s["void"]) for row in p.json["rows"]
                for s in row["samples"] if s["void"]]
        check(False, f"void samples: {void}")
    return p.ends_with(code).json


def check_rows(result, may_lose=()):
    """Checks that every row that ran has valid samples with the bytes of the file; returns the labels."""
    ran = set()
    for row in result["rows"]:
        where = f"{row['label']} on {row['wire']}, {row['file_bytes']} bytes"
        if row["skipped"]:
            continue
        ran.add(row["label"])
        check(row["samples"], f"{where}: no sample")
        for sample in row["samples"]:
            check(not sample["void"], f"{where}: {sample['void']}")
            if row["file_bytes"] == 0 or row["wire"] in ("sink", "null"):
                continue
            equal(sample["proof"], "compared", where)
            if row["wire"] not in may_lose:
                check(sample["raw"]["sink"]["whole"], f"{where}: not every byte arrived")
    return ran


def labels(result):
    return {row["label"] for row in result["rows"]}


def need_ran(result, names):
    """Checks that these ways were not skipped: the test host has what they need."""
    reasons = {row["label"]: row["skipped"] for row in result["rows"] if row["skipped"]}
    for name in names:
        check(name not in reasons, f"{name} was skipped: {reasons.get(name)}")


TCP = ["read_write", "mmap_write", "sendfile", "splice", "msg_zerocopy", "uring_send",
       "uring_send_zc", "uring_splice"]
UDP = ["udp_read_send", "udp_mmap_sendmsg", "udp_sendmmsg", "udp_gso", "udp_zerocopy",
       "uring_udp_zc"]
NEWER = ["uring_sendmsg_zc", "xdp_sg", "xdp_copy_csum", "ktls_sendfile"]  # where the kernel has them
RAW = ["packet_send", "packet_tx_ring", "xdp_copy"]


@concurrent
@once
def test_every_kernel_way_delivers_odd_sizes_on_loopback(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "loopback", "--sizes", ",".join(ODD_SIZES), *FAST)
    need_ran(result, TCP + UDP)
    equal(check_rows(result) - set(NEWER), set(TCP + UDP), "ways that ran")


@concurrent
@once
def test_every_kernel_way_delivers_on_veth(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "veth", "--ways", ",".join(TCP + UDP + RAW + NEWER),
                       "--sizes", f"1B,{SYMBOL + 1}B,1000001B", *FAST)
    need_ran(result, TCP + UDP + RAW)
    check_rows(result)


def test_jumbo_frames_go_on_veth(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "veth", "--ways", "udp_gso,udp_sendmmsg,packet_tx_ring",
                       "--mtu", "9000", "--sizes", "1000001B", *FAST)
    need_ran(result, ["udp_gso", "udp_sendmmsg", "packet_tx_ring"])
    check_rows(result)


def test_kernel_ways_are_drained_from_a_tap(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "tap", "--ways", "udp_sendmmsg,udp_gso,packet_send",
                       "--sizes", "100001B", *FAST)
    need_ran(result, ["udp_sendmmsg", "packet_send"])
    check_rows(result, may_lose=("tap",))


@once
def test_the_bypass_delivers_with_every_provider(t):
    t.need_hugepages()
    with Clean():
        result = bench(t, "--wires", "vhost,null", "--sizes", f"{SYMBOL + 1}B,1000001B",
                       "--rounds", "1", "--stretch", "5ms", "--no-evidence", "--json")
    need_ran(result, ["dpdk_vhost/hugefile", "dpdk_vhost/pagecache", "dpdk_virtio_user/stage",
                      "dpdk_null/hugefile", "dpdk_null/pagecache", "dpdk_null/stage"])
    check_rows(result)
    for row in result["rows"]:
        if row["label"] == "dpdk_null/hugefile":
            equal(row["summary"]["own_copies_per_byte"]["median"], 0.0, "copies of our own")


def test_the_bypass_runs_on_ordinary_pages_without_hugepages(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "vhost", "--ways", "dpdk_vhost/pagecache", "--no-huge",
                       "--sizes", "100001B", "--rounds", "1", "--stretch", "5ms", "--no-evidence",
                       "--json")
    check_rows(result)


def test_the_sink_counts_what_the_ways_sent(t):
    t.need_root()
    with Clean():
        result = bench(t, "--wires", "sink", "--ways", ",".join(UDP + RAW[:2]), "--sizes",
                       "1000001B", *FAST)
    check_rows(result)
    for row in result["rows"]:
        if not row["skipped"]:
            equal(row["samples"][-1]["proof"], "counted", row["label"])
            equal(row["summary"]["loss"]["median"], 0.0, f"{row['label']}: loss")


def test_a_given_file_is_measured_warm_and_cold(t):
    t.need_root()
    file = t.file("own.bin", 300_007)
    with Clean():
        result = bench(t, file, "--wires", "loopback", "--ways", "sendfile,mmap_write,udp_gso",
                       "--cold", "--dir", t.dir, *FAST)
    equal(check_rows(result), {"sendfile", "mmap_write", "udp_gso"}, "ways that ran")
    equal({(r["cold"], r["file_bytes"]) for r in result["rows"]}, {(False, 300_007), (True, 300_007)},
          "rows")
    equal([n for n in os.listdir(t.dir) if n.startswith("pagewire-bench")], [], "files left")


def test_a_cold_file_in_memory_is_refused(t):
    t.need_root()
    with Clean():
        p = t.run("bench", "--wires", "loopback", "--ways", "sendfile", "--sizes", "1MiB", "--cold",
                  "--dir", "/dev/shm").ends_with(1)
    check("stay in memory" in p.err and "--dir" in p.err, p.err)
    equal([n for n in os.listdir("/dev/shm") if n.startswith("pagewire-bench")], [], "files left")


def test_files_larger_than_the_memory_are_refused(t):
    with open("/proc/meminfo", encoding="ascii") as f:
        total_kib = next(int(line.split()[1]) for line in f if line.startswith("MemTotal"))
    p = t.run("bench", "--wires", "loopback", "--ways", "sendfile", "--sizes", f"{total_kib}KiB")
    check("available" in p.ends_with(77).err, p.err)


def test_without_permission_to_mount_the_file_is_on_ordinary_pages(t):
    t.need_root()
    t.need_tool("setpriv")
    p = t.spawn("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", t.binary, "bench",
                "--wires", "loopback", "--ways", "sendfile", *FAST).ends_with(0)
    check("cannot be mounted" in p.err or "free" in p.err, p.err)


def test_counted_system_calls_are_those_that_the_way_makes(t):
    t.need_root()
    result = bench(t, "--wires", "loopback", "--ways", "mmap_write,read_write,sendfile",
                   "--sizes", "1MiB", "--evidence-only", "--json")
    rows = {row["label"]: row for row in result["rows"]}
    check(all(sample["evidence"] for row in rows.values() for sample in row["samples"]), "a run was timed")
    equal({row["summary"]["goodput_bps"]["median"] for row in rows.values()}, {None}, "goodput")
    if rows["mmap_write"]["summary"]["syscalls_per_mb"]["median"] is None:
        raise Skip(rows["mmap_write"]["not_measured"]["syscalls_per_mb"])
    per_mib = {k: r["summary"]["syscalls_per_mb"]["median"] * 1.048576 for k, r in rows.items()}
    # 16 calls of 64 KiB, twice that with read(); a short write may add some
    check(16 <= per_mib["mmap_write"] < 20, per_mib)
    check(32 <= per_mib["read_write"] < 40, per_mib)
    check(per_mib["sendfile"] < 17, per_mib)


def test_the_json_matches_its_schema_and_the_csv_has_every_sample(t):
    t.need_root()
    args = ["--wires", "loopback", "--ways", "sendfile,udp_gso", "--sizes", "100001B", "--rounds", "3",
            "--stretch", "5ms", "--no-evidence"]
    result = bench(t, *args, "--json")
    try:
        import jsonschema
    except ImportError:
        raise Skip("needs python3-jsonschema") from None
    with open(os.path.join(HERE, "..", "..", "docs", "bench.schema.json"), encoding="utf-8") as f:
        jsonschema.validate(result, json.load(f))
    p = t.run("bench", *args, "--csv").ends_with(0)
    lines = list(csv.DictReader(io.StringIO(p.out)))
    equal(len(lines), 2 * 3, "measured samples in the CSV")
    equal({line["round"] for line in lines}, {"1", "2", "3"}, "rounds")
    p = t.run("bench", *args, "--csv", "--all-samples").ends_with(0)
    rounds = [line["round"] for line in csv.DictReader(io.StringIO(p.out))]
    equal(sorted(rounds), sorted(["0", "1", "2", "3"] * 2), "rounds with the warm-up")


def test_a_report_has_plots_json_and_samples(t):
    t.need_root()
    out = t.path("report")
    p = t.run("bench", "--wires", "loopback", "--ways", "sendfile,read_write", "--sizes", "1MiB",
              "--rounds", "2", "--stretch", "5ms", "--no-evidence", "--report", out).ends_with(0)
    check("sendfile" in p.out and "b/s" in p.out, p.out)
    with open(os.path.join(out, "report.html"), encoding="utf-8") as f:
        page = f.read()
    check("<svg" in page and "sendfile" in page, "no plot in report.html")
    check("src=\"http" not in page and "href=\"http" not in page.replace("http://www.w3.org", ""),
          "report.html refers to the network")
    with open(os.path.join(out, "result.json"), encoding="utf-8") as f:
        json.load(f)
    check(os.path.getsize(os.path.join(out, "samples.csv")) > 100, "samples.csv")


def test_a_report_directory_that_cannot_be_written_is_refused_before_the_first_cell(t):
    for where in ("/proc/none", t.file("report-is-a-file", 1)):
        p = t.run("bench", "--wires", "loopback", "--ways", "sendfile", "--sizes", "1MiB", "--report",
                  os.path.join(where, "report")).ends_with(1)
        check("report" in p.err and "rows" not in p.err, p.err)
        equal(p.out, "", "stdout")


def test_the_textbooks_table_is_printed(t):
    t.need_root()
    with Clean():
        p = t.run("bench", "--classic").ends_with(0)
    for word in ("read", "mmap", "sendfile", "bypass"):
        check(word in p.out, p.out)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(n) for n in f.read().split()]


LONG = ["--wires", "veth", "--ways", "udp_gso,read_write", "--sizes", "1MiB", "--rounds", "50",
        "--stretch", "300ms", "--no-evidence"]


def interrupt(t, how):
    with Clean():
        p = t.start("bench", *LONG, "--json")
        poll_until(lambda: len(children(p.pid)) == 2, 20, "a cell")
        time.sleep(0.2)
        p.signal(how)
        p.ends_with(3, 15)
    check("interrupted" in p.err, p.err)
    equal(len(p.json["rows"]), 2, "rows")


def test_an_interrupted_bench_prints_its_results_and_leaves_nothing(t):
    t.need_root()
    interrupt(t, signal.SIGINT)


def minds_interrupts(pid):
    """pagewire blocks signals before it starts Python, which catches them when it can."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return any(line.startswith(("SigBlk:", "SigCgt:")) and int(line.split()[1], 16) & 1 << signal.SIGINT - 1
                   for line in f)


def test_an_interrupt_while_python_starts_ends_the_bench_quietly(t):
    for delay in (0, 0.05):
        p = t.start("bench", "--wires", "loopback")
        poll_until(lambda pid=p.pid: minds_interrupts(pid), 20, "signals that are blocked or caught")
        time.sleep(delay)
        p.popen.send_signal(signal.SIGINT)
        p.wait(20).ends_with(3)
        equal(p.err, "pagewire: interrupted: nothing was measured\n", f"stderr, after {delay} s")


def test_a_bench_whose_terminal_goes_away_leaves_nothing(t):
    t.need_root()
    interrupt(t, signal.SIGHUP)


def test_the_receiver_is_bound_to_its_cpu_with_every_sender(t):
    t.need_hugepages()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("needs two CPUs")
    for way in ("udp_sendmmsg", "dpdk_af_packet/hugefile"):
        p = t.start("bench", "--wires", "veth", "--ways", way, "--sizes", "1MiB", "--rounds", "1",
                    "--stretch", "300ms", "--no-evidence", "--json")
        sink = poll_until(lambda: len(children(p.pid)) == 2 and children(p.pid), 20, "a cell")[0]
        equal(os.sched_getaffinity(sink), {cpus[1]}, f"CPUs of the receiver of {way}")
        p.ends_with(0, 40)


def test_a_killed_bench_leaves_no_process_and_no_namespace(t):
    t.need_root()
    before = work_directories()
    with Clean(directories=False):
        p = t.start("bench", *LONG)
        cell = poll_until(lambda: len(children(p.pid)) == 2 and children(p.pid), 20, "a cell")
        p.signal(signal.SIGKILL)
        p.wait(10)
        poll_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in cell), 5, "the end of its processes")
    for name in work_directories() - before:  # empty: the file systems ended with the bench
        os.rmdir(f"/tmp/{name}/tmpfs")
        os.rmdir(f"/tmp/{name}/huge")
        os.rmdir(f"/tmp/{name}")


def a_measured_cell(p):
    """Waits for the sink and the source of a timed cell. Those of the warm-up end within the 0.2 s."""
    def both_stay():
        before = children(p.pid)
        time.sleep(0.2)
        return len(before) == 2 and children(p.pid) == before and before

    return poll_until(both_stay, 20, "a cell")


def test_a_cell_whose_process_dies_is_void_with_the_reason(t):
    t.need_root()
    with Clean():
        p = t.start("bench", "--wires", "veth", "--ways", "read_write", "--sizes", "1MiB", "--rounds",
                    "100", "--stretch", "1s", "--no-evidence", "--json")
        cell = a_measured_cell(p)
        os.kill(cell[0], signal.SIGKILL)
        poll_until(lambda: not set(cell) & set(children(p.pid)), 20, "the cell's end")
        poll_until(lambda: len(children(p.pid)) == 2, 20, "the next cell")
        p.signal(signal.SIGINT)
        p.ends_with(3, 40)
    void = [s["void"] for row in p.json["rows"] for s in row["samples"] if s["void"]]
    equal(len(void), 1, "void samples")
    check("died" in void[0] or "went away" in void[0], void[0])


def test_wrong_usage_is_reported(t):
    for words, args in ((["--ways", "udp_gos"], ["--ways", "udp_gos"]),
                        (["wire", "cable"], ["--wires", "cable"]),
                        (["--sizes", "12"], ["--sizes", "12"]),
                        (["--to"], ["--wires", "nic:lo"]),
                        (["--json", "--csv"], ["--json", "--csv"]),
                        (["--core", "1023", "may run"], ["--core", "0,1023"]),
                        (["--classic"], ["--classic", "--csv"]),
                        (["--classic"], ["--classic", "--sizes", "1MiB"]),
                        (["--baseline", "udp_gos"], ["--baseline", "udp_gos"]),
                        (["--baseline", "dpdk_null"], ["--baseline", "dpdk_null"]),
                        (["--stretch 0"], ["--stretch", "0"]),
                        (["--chunk", "1GiB"], ["--chunk", "0"]),
                        (["UTF-8", "rename"], ["a\udcff"]),
                        (["UTF-8", "rename"], ["--report", "a\udcff"]),
                        (["--receive", "--cold"], ["--receive", "--cold"]),
                        (["--receive", "--resume"], ["--receive", "--resume", "old.json"]),
                        (["--receive", "--baseline"], ["--receive", "--baseline", "tcp"]),
                        (["--quick"], ["--quick", "--full"])):
        p = t.run("bench", *args).ends_with(2)
        for word in words:
            check(word in p.err, f"no {word!r} in {p.err!r}")
        equal(p.out, "", "stdout")
    p = t.run("bench", "--ways", ",".join(["udp_gso"] * 15000)).ends_with(77)
    check("128 KiB" in p.err, p.err)


def test_an_output_that_takes_nothing_is_an_error(t):
    for where in (">/dev/full", ">&-"):
        p = t.spawn("sh", "-c", f'exec "$0" bench --list {where}', t.binary).ends_with(1)
        check(p.err.startswith("pagewire: error: cannot write to standard output"), f"{where}: {p.err!r}")
        equal(p.err.count("\n"), 1, f"{where}: lines of {p.err!r}")


def test_warnings_stay_out_of_the_result_when_stderr_is_closed(t):
    p = t.spawn("sh", "-c", 'exec "$0" bench --wires loopback --ways sendfile --sizes 64KiB --rounds 1 '
                '--stretch 1ms --no-evidence --json 2>&-', t.binary).ends_with(0)
    equal(p.json["rounds"], 1, "rounds")


def test_every_way_is_listed_with_its_wires(t):
    p = t.run("bench", "--list").ends_with(0)
    for name in TCP + UDP + RAW + ["dpdk_vhost/hugefile"]:
        check(name in p.out, f"{name} is not listed")
