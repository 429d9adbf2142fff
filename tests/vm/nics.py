#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs in a guest: sends a file from hugetlbfs through each NIC in turn, then receives it through each.
The first argument is a JSON object; the results are written to standard output as another one.

    file     the file on the host; its copy on hugetlbfs is /dev/hugepages/NAME
    scatter  put the copy on huge pages of which no two are adjacent
    steps    a list of {"send": OPTIONS} and {"recv": OPTIONS, "out": DIR, "send": OPTIONS or null};
             the receiver is started first. "from": "hugetlbfs" (unless given), "tmpfs", "ext4".
             "memlock": run with this limit of locked memory (bytes), without CAP_IPC_LOCK
             {"doctor": OPTIONS} is a step as well
"""
import ctypes
import filecmp
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time

HUGE = 2 << 20
MOUNT = "/dev/hugepages"
FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
STEP_SECONDS = 45


def say(text):
    print(f"{time.monotonic():6.2f} {text}", file=sys.stderr, flush=True)


def stage(path):
    subprocess.run(["pagewire", "stage", path, "--to", MOUNT], check=True, stdout=sys.stderr)
    return os.path.join(MOUNT, os.path.basename(path))


def stage_scattered(path):
    """Takes every page of the pool, frees every other one, and stages the file on the freed ones."""
    with open(FREE, encoding="ascii") as f:
        fillers = [os.path.join(MOUNT, f"filler{n}") for n in range(int(f.read()))]
    for name in fillers:
        with open(name, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, HUGE)
    for name in fillers[::2]:
        os.unlink(name)
    staged = stage(path)
    for name in fillers[1::2]:
        os.unlink(name)
    return staged


def physical_addresses(path):
    """The physical address of each huge page of the file, from pagemap."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                          ctypes.c_int, ctypes.c_long]
    found = []
    with open(path, "rb") as f, open("/proc/self/pagemap", "rb", 0) as pagemap:
        size = os.path.getsize(path)
        start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, f.fileno(), 0)
        for address in range(start, start + size, HUGE):
            ctypes.string_at(address, 1)  # touch the page, so that it is mapped
            pagemap.seek(address // 4096 * 8)
            entry, = struct.unpack("<Q", pagemap.read(8))
            found.append((entry & ((1 << 55) - 1)) * 4096)
    return found


def copies(path):
    """Copies the file to other file systems; returns the paths by the file systems' names."""
    image, mount = "/dev/shm/ext4.img", "/tmp/ext4"
    for module in ("loop", "ext4"):
        subprocess.run(["modprobe", module], check=True)
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    os.makedirs(mount)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    return {"tmpfs": shutil.copy(path, "/dev/shm"), "ext4": shutil.copy(path, mount)}


def words(file, step):
    limit = []
    if "memlock" in step:
        limit = ["setpriv", "--bounding-set", "-ipc_lock", "prlimit", f"--memlock={step['memlock']}"]
    return [*limit, "pagewire", "send", file, *step["send"]]


def result(process, out, err):
    return {"code": process.returncode, "out": out.decode(errors="replace"),
            "err": err.decode(errors="replace")}


def execute(argv):
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        try:
            return result(p, *p.communicate(timeout=STEP_SECONDS))
        except subprocess.TimeoutExpired:
            p.kill()
            return result(p, *p.communicate())


def run(file, step):
    """What the step's processes left, by their names."""
    if "doctor" in step:
        return {"doctor": execute(["pagewire", "doctor", *step["doctor"]])}
    return receive(file, step) if "recv" in step else {"send": execute(words(file, step))}


def receive(file, step):
    """Runs a receiver, and a sender where the step has one; returns both results."""
    shutil.rmtree(step["out"], ignore_errors=True)
    os.makedirs(step["out"])
    options = ["--out", step["out"], "--json", *step["recv"]]
    with open("/tmp/recv.err", "wb+") as said, subprocess.Popen(
            ["pagewire", "recv", *options], stdout=subprocess.PIPE, stderr=said) as p:
        end = time.monotonic() + STEP_SECONDS
        while b"receiving on" not in open("/tmp/recv.err", "rb").read() and p.poll() is None:
            if time.monotonic() > end:
                p.kill()
            time.sleep(0.05)
        sent = execute(words(file, step)) if step["send"] else None
        try:
            out = p.communicate(timeout=STEP_SECONDS)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            out = p.communicate()[0]
        said.seek(0)
        got = result(p, out, said.read())
    arrived = os.path.join(step["out"], os.path.basename(file))
    got["same"] = os.path.exists(arrived) and filecmp.cmp(file, arrived, shallow=False)
    shutil.rmtree(step["out"])
    return {"recv": got, "send": sent}


def main():
    job = json.loads(sys.argv[1])
    files = {"hugetlbfs": (stage_scattered if job["scatter"] else stage)(job["file"])}
    files.update(copies(job["file"]))
    results = []
    for step in job["steps"]:
        say(" ".join(step.get("doctor") or step.get("recv") or step["send"]))
        results.append(run(files[step.get("from", "hugetlbfs")], step))
    say("done")
    json.dump({"physical": physical_addresses(files["hugetlbfs"]), "steps": results}, sys.stdout)


main()
