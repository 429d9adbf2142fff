#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/host-setup on a host that is a directory: the script's commands write its files, and Kernel does what a
kernel would do on each write. tests/vm has a NIC that really moves, and real huge pages.

    test_host_setup.py SOURCE-DIRECTORY [TEST]...
"""
import contextlib
import errno
import fcntl
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = os.path.join(sys.argv.pop(1) if len(sys.argv) > 1 else ".", "scripts/host-setup")
NIC = "0000:3b:00.0"
DEVICE = "/sys/bus/pci/devices/" + NIC
POOL = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"
STATE = "/run/pagewire/host-setup.json"
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
ALL = ["--pages", "7", "--node", "0", "--mount", "--bind", NIC]
ETH1 = {"ifname": "eth1", "mtu": 1400, "flags": ["BROADCAST", "UP"]}
FOREVER = (1 << 32) - 1
IN_USE = {"link": [ETH1], "addr": [{"ifname": "eth1", "addr_info": [
    {"local": "10.0.0.1", "prefixlen": 24, "scope": "global", "valid_life_time": FOREVER,
     "preferred_life_time": FOREVER}]}],
    "text-4": [["eth1", "unicast 10.0.0.0/24 table main proto kernel scope link src 10.0.0.1"],
               ["eth1", "unicast 10.7.0.0/16 via 10.0.0.2 table 42 proto boot scope global"]]}


KILLED = 99  # exit code of a fork of this program that ended at once, as by SIGKILL


def killed():
    os._exit(KILLED)


class Kernel:
    """What the kernel and the tools do after the script's commands."""

    def __init__(self, root):
        self.root = root
        self.moment = 0  # counts the points at which a run can end
        self.stop_at, self.stop_by = None, None
        self.pages_given = 1 << 30

    def path(self, path):
        return self.root + path

    def read(self, path):
        return pathlib.Path(self.path(path)).read_text(encoding="utf-8").strip()

    def write(self, path, text):
        path = pathlib.Path(self.path(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")

    def link(self, path, target):
        pathlib.Path(self.path(path)).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(path))
        os.symlink(target, self.path(path))

    def point(self):
        self.moment += 1
        if self.moment == self.stop_at:
            self.stop_at = None
            raise self.stop_by()

    def net(self):
        return json.loads(self.read("/net.json"))

    def shell(self, command, _keep=()):
        """Commands run one by one, so that a run can end between any two of them."""
        if command.startswith("modprobe -nq"):
            return "yes" if command.split()[2] in self.read("/modules").split() else ""
        if command.startswith("ip -j -d"):
            words = command.split()
            kind = "route" + words[3] if words[3].startswith("-") else words[3]
            only = words[words.index("dev") + 1] if "dev" in words else None
            return json.dumps([i for i in self.net().get(kind, []) if only in (None, i.get("ifname"), i.get("dev"))])
        if command.startswith("ip -o -d"):
            version, name = command.split()[3], command.split()[-1]
            return "".join(route + "\n" for dev, route in self.net().get("text" + version, []) if dev == name)
        if command.startswith("printf"):
            for line in shlex.split(command.partition(" | ")[0])[2:]:
                self.point()
                self.configure(line.split())
            return ""
        for part in re.split(r" && |; ", command):
            self.point()
            self.do(part.strip())
            self.point()
        return ""

    def do(self, part):
        words = part.split()
        if words[:3] == ["ip", "link", "set"]:
            self.configure(["link", "set", "dev"] + words[3:])
        elif words[0] == "modprobe":
            os.makedirs(self.path("/sys/bus/pci/drivers/" + words[-1]), exist_ok=True)
        elif words[0] == "mount":
            self.write("/proc/self/mounts", "none /mnt/huge hugetlbfs rw 0 0")
        elif words[0] == "umount":
            self.write("/proc/self/mounts", "")
        else:
            if "nr_hugepages" in part:
                words[1] = str(min(int(words[1]), self.pages_given))
            if part.endswith("/driver/unbind"):
                self.unbind()
                return
            done = subprocess.run(["sh", "-c", " ".join(words)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise self.failure(f"cannot run `{part}`: {done.stderr}")
            if part.endswith("drivers_probe"):
                self.probe(self.read(DEVICE + "/driver_override"))

    def unbind(self):
        os.unlink(self.path(DEVICE + "/driver"))
        shutil.rmtree(self.path(DEVICE + "/net"), ignore_errors=True)
        net = self.net()
        for kind in ("link", "addr"):
            net[kind] = [i for i in net.get(kind, []) if i["ifname"] != "eth1"]
        net["text-4"] = [i for i in net.get("text-4", []) if i[0] != "eth1"]
        self.write("/net.json", json.dumps(net))

    def probe(self, driver):
        if os.path.lexists(self.path(DEVICE + "/driver")) or not os.path.isdir(
                self.path("/sys/bus/pci/drivers/" + driver)) or driver in self.read("/refusing"):
            return
        self.link(DEVICE + "/driver", "../../drivers/" + driver)
        if driver == "ice":  # with its default name and settings
            self.write(DEVICE + "/net/eth0/ifindex", "3")
            net = self.net()
            net["link"].append({"ifname": "eth0", "mtu": 1500, "flags": ["BROADCAST"]})
            self.write("/net.json", json.dumps(net))

    def configure(self, words):
        """What `ip` does, for the commands that the script gives it."""
        net, name = self.net(), words[words.index("dev") + 1]
        own = next(i for i in net["link"] if i["ifname"] == name)
        values = dict(zip(words[4::2], words[5::2]))
        if words[0] == "link" and "name" in values:
            own["ifname"] = values["name"]
            os.rename(self.path(f"{DEVICE}/net/{name}"), self.path(f"{DEVICE}/net/{values['name']}"))
        elif words[0] == "link":
            own["mtu"] = int(values.get("mtu", own["mtu"]))
            if words[-1] in ("up", "down"):
                own["flags"] = ["BROADCAST"] + ["UP"] * (words[-1] == "up")
        elif words[0] == "addr":
            local, length = words[2].split("/")
            net["addr"] = [i for i in net.get("addr", []) if i["ifname"] != name] + [{"ifname": name, "addr_info": [
                {"local": local, "prefixlen": int(length), "scope": words[words.index("scope") + 1],
                 "valid_life_time": FOREVER, "preferred_life_time": FOREVER}]}]
        elif words[0] == "route" and "refused" not in words:
            route = [name, " ".join(words[2:-2])]
            net["text-4"] = net.get("text-4", []) + [route] * (route not in net.get("text-4", []))
        self.write("/net.json", json.dumps(net))


class HostSetup(unittest.TestCase):
    def setUp(self):
        # the script syncs its file for each step: on a disk that takes long
        self.root = tempfile.mkdtemp(prefix="pw-host-setup.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(shutil.rmtree, self.root)
        self.k = k = Kernel(self.root)
        for path, text in {
                POOL + "/nr_hugepages": "20", POOL + "/surplus_hugepages": "0", "/proc/self/mounts": "",
                "/proc/meminfo": "MemAvailable: 8000000 kB", "/proc/sys/kernel/random/boot_id": "first",
                "/run/x": "", "/mnt/x": "", "/modules": "vfio-pci", "/refusing": "-",
                "/sys/bus/pci/drivers_probe": "", "/sys/bus/pci/drivers/ice/x": "",
                "/sys/bus/pci/drivers/vfio-pci/x": "", DEVICE + "/class": "0x020000",
                DEVICE + "/driver_override": "(null)", DEVICE + "/net/eth1/ifindex": "3",
                "/sys/kernel/iommu_groups/7/devices/" + NIC: "",
                "/net.json": json.dumps({"link": [ETH1], "addr": [], "text-4": []})}.items():
            k.write(path, text)
        k.link(DEVICE + "/driver", "../../drivers/ice")
        k.link(DEVICE + "/iommu_group", "../../../../kernel/iommu_groups/7")

    def load(self):
        os.environ["PW_HOST_ROOT"] = self.root
        loader = importlib.machinery.SourceFileLoader("host_setup", SCRIPT)
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("host_setup", loader))
        loader.exec_module(module)
        return module

    def run_script(self, *arguments, stop_at=None, stop_by=killed, patch=None):
        """Runs the script against the fake kernel. Returns its exit code, output and errors."""
        module, k = self.load(), self.k
        k.moment, k.stop_at, k.stop_by, k.failure = 0, stop_at, stop_by, module.Failure
        save = module.State.save

        def save_and_stop(state):
            k.point()
            save(state)
            k.point()

        module.shell, module.State.save, module.COME_BACK_S = k.shell, save_and_stop, 0.05
        out, err = io.StringIO(), io.StringIO()
        sys.argv[1:] = arguments
        before = self.locks()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            if patch:
                patch(module)
            pid = os.fork() if stop_by is killed and stop_at else -1
            if pid > 0:
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "", ""
            try:
                code = module.main()
            except SystemExit as e:
                code = e.code
            if pid == 0:
                os._exit(code)
        for fd in self.locks() - before:  # a process releases it when it ends
            os.close(fd)
        return code, out.getvalue(), err.getvalue()

    def locks(self):
        found = set()
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink("/proc/self/fd/" + fd) == self.root + "/run/pagewire":
                    found.add(int(fd))
        return found

    def ok(self, *arguments):
        code, out, err = self.run_script(*arguments)
        self.assertEqual((code, err), (0, ""))
        return out

    def refused(self, code, words, *arguments):
        found, _, err = self.run_script(*arguments)
        self.assertEqual(found, code, err)
        self.assertIn(words, err)

    def pages(self):
        return int(self.k.read(POOL + "/nr_hugepages"))

    def host(self):
        """All files of the host and their contents, but for what the script remembers."""
        found = {}
        for at, directories, files in os.walk(self.root):
            for name in directories + files:
                path = os.path.join(at, name)
                inside = path.removeprefix(self.root)
                if os.path.islink(path):
                    found[inside] = os.readlink(path)
                elif name in files and name != "drivers_probe":
                    found[inside] = pathlib.Path(path).read_text(encoding="utf-8").strip().replace("(null)", "")
                elif name in directories and not inside.startswith("/run"):
                    found[inside] = "directory"
        return found

    def assert_restored(self, before, when):
        after = self.host()
        changed = {p: (before.get(p), after.get(p)) for p in before.keys() | after.keys()
                   if before.get(p) != after.get(p)}
        self.assertEqual(changed, {}, when)

    def test_a_dry_run_changes_nothing_and_prints_the_commands(self):
        before = self.host()
        out = self.ok("--dry-run", *ALL)
        self.assertIn(f"echo 27 > {self.root}{POOL}/nr_hugepages   # hugepages.free: 7 huge pages of 2048 KiB more", out)
        self.assertIn(f"# nic.driver: {NIC} from ice to vfio-pci; eth1 disappears", out)
        self.assert_restored(before, "dry run")
        self.assertFalse(os.path.exists(self.root + "/run/pagewire"))

    def test_everything_is_done_and_undone_without_a_trace(self):
        before = self.host()
        self.ok(*ALL)
        self.assertEqual(self.pages(), 27)
        self.assertIn("hugetlbfs", self.k.read("/proc/self/mounts"))
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/vfio-pci")
        self.assertIn(f"{NIC} from vfio-pci back to ice, as eth1", self.ok("--undo", "--dry-run"))
        self.assertEqual(self.pages(), 27)
        self.ok("--undo")
        self.assert_restored(before, "undo")
        self.assertEqual(self.ok("--undo"), "nothing to undo\n")

    def each_point(self, *arguments, stop_by):
        """Runs the script once for each point at which it can end, on a fresh copy of the host."""
        shutil.copytree(self.root, self.root + ".copy", symlinks=True)
        self.addCleanup(shutil.rmtree, self.root + ".copy")
        self.run_script(*arguments)
        n = self.k.moment
        self.assertGreater(n, 3)
        for point in range(1, n + 1):
            shutil.rmtree(self.root)
            shutil.copytree(self.root + ".copy", self.root, symlinks=True)
            code, _, _ = self.run_script(*arguments, stop_at=point, stop_by=stop_by)
            yield f"{' '.join(arguments)} ended by {stop_by.__name__} at point {point} of {n}", code

    def test_undo_restores_the_host_after_a_kill_at_any_point(self):
        before = self.host()
        for when, code in self.each_point(*ALL, stop_by=killed):
            self.assertEqual(code, KILLED, when)
            self.ok("--undo")
            self.assert_restored(before, when)

    def test_undo_restores_the_host_after_an_interrupt_at_any_point(self):
        before = self.host()
        for when, code in self.each_point(*ALL, stop_by=KeyboardInterrupt):
            self.assertEqual(code, 130, when)
            self.ok("--undo")
            self.assert_restored(before, when)

    def test_an_undo_that_was_killed_is_continued_by_the_next(self):
        before = self.host()
        self.ok(*ALL)
        for when, code in self.each_point("--undo", stop_by=killed):
            self.assertEqual(code, KILLED, when)
            self.ok("--undo")
            self.assert_restored(before, when)

    def test_a_second_run_does_not_forget_the_values_of_a_killed_one(self):
        before = self.host()
        for when, _ in self.each_point(*ALL, stop_by=killed):
            self.ok("--pages", "5", "--bind", NIC)
            self.ok("--undo")
            self.assert_restored(before, when)

    def test_pages_that_others_add_or_remove_are_not_counted(self):
        for others, left in ((100, 120), (-5, 15)):
            self.k.write(POOL + "/nr_hugepages", "20")
            self.ok("--pages", "7")
            self.k.write(POOL + "/nr_hugepages", str(27 + others))
            self.ok("--undo")
            self.assertEqual(self.pages(), left)

    def test_surplus_pages_are_added_first(self):
        self.k.write(POOL + "/surplus_hugepages", "4")
        self.assertIn("echo 27 >", self.ok("--pages", "7", "--dry-run"))

    def test_a_kernel_that_gives_fewer_pages_keeps_none(self):
        self.k.pages_given = 23
        self.refused(77, "the kernel gave 3", "--pages", "7")
        self.assertEqual(self.pages(), 20)
        self.assertFalse(os.path.exists(self.root + STATE))

    def test_a_bind_that_fails_is_undone_at_once_and_the_steps_before_it_by_undo(self):
        before = self.host()
        self.k.write("/refusing", "vfio-pci")
        self.refused(1, "the driver did not take it", *ALL)
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/ice")
        self.assertEqual([r["kind"] for r in json.loads(self.k.read(STATE))["records"]], ["pages", "mount"])
        self.k.write("/refusing", "-")
        self.ok("--undo")
        self.assert_restored(before, "undo")

    def test_a_restart_of_the_host_has_undone_all(self):
        self.ok("--pages", "7")
        self.k.write("/proc/sys/kernel/random/boot_id", "second")
        self.assertEqual(self.ok("--undo"), "nothing to undo\n")
        self.assertEqual(self.pages(), 27)

    def test_a_state_file_of_another_origin_is_refused_and_kept(self):
        self.ok("--pages", "7")
        good = json.loads(self.k.read(STATE))
        pages = good["records"][0]
        for records in ("", "[]", "{", [{"kind": "rm"}], [dict(pages, pool="/etc")], [dict(pages, more=None)],
                        [dict(pages, pool=pages["pool"] + "/../..")], [dict(pages, before="1; reboot")]):
            self.k.write(STATE, records if isinstance(records, str) else json.dumps(dict(good, records=records)))
            self.refused(1, "cannot read " + self.root + STATE, "--undo")
            self.assertTrue(os.path.exists(self.root + STATE))
            self.assertEqual(self.pages(), 27)
        self.k.write(STATE, json.dumps(good))
        os.chmod(self.root + STATE, 0o666)
        self.refused(1, "other users can write it", "--undo")

    def test_a_directory_that_others_can_read_is_refused(self):
        os.mkdir(self.root + "/run/pagewire", 0o755)
        self.refused(77, "chmod 700", "--pages", "7")
        self.assertEqual(self.pages(), 20)

    def test_two_at_once_exclude_each_other(self):
        os.mkdir(self.root + "/run/pagewire", 0o700)
        fd = os.open(self.root + "/run/pagewire", os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self.refused(1, "another host-setup runs", "--pages", "7")
        self.refused(1, "another host-setup runs", "--undo")
        self.assertEqual(self.pages(), 20)

    def test_a_command_keeps_the_lock_after_the_script_was_killed(self):
        pid = os.fork()
        if pid == 0:
            module = self.load()
            module.shell(f"touch {self.root}/started; sleep 20", (module.State().lock,))
            os._exit(0)
        while not os.path.exists(self.root + "/started"):
            time.sleep(0.01)
        command = int(subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=True).stdout)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.refused(1, "another host-setup runs", "--undo")
        subprocess.run(["pkill", "-P", str(command)], check=False)  # the sleep: the shell ends with it
        for _ in range(500):
            if self.run_script("--undo")[0] == 0:
                return
            time.sleep(0.01)
        self.fail("the lock stays after the command")

    def test_more_memory_than_the_host_can_spare_is_refused(self):
        self.refused(77, "of memory are available", "--pages", "4000")

    def test_a_directory_with_files_is_not_mounted_on(self):
        self.k.write("/mnt/huge/file", "")
        self.refused(1, "no empty directory", "--mount")

    def test_a_mount_with_files_is_not_unmounted(self):
        self.ok("--mount")
        self.k.write("/mnt/huge/file", "")
        self.refused(1, "would be lost", "--undo")
        os.unlink(self.root + "/mnt/huge/file")
        self.ok("--undo")
        self.assertFalse(os.path.exists(self.root + "/mnt/huge"))

    def test_a_nic_in_use_is_refused_until_its_address_is_repeated(self):
        route = {"dst": "default", "dev": "eth1"}
        for words, net in (
                ("the IPv4 default route uses eth1", {"route-4": [route]}),
                ("the IPv4 default route uses eth1",
                 {"route-4": [{"dst": "default", "nexthops": [{"dev": "lo"}, {"dev": "eth1"}]}]}),
                ("the IPv6 default route uses eth1", {"route-6": [route]}),
                ("a multipath route uses eth1",
                 {"route-4": [{"dst": "10.0.0.0/8", "nexthops": [{"dev": "lo"}, {"dev": "eth1"}]}]}),
                ("a nexthop object's route uses eth1", {"route-4": [{"dst": "10.0.0.0/8", "dev": "eth1", "nhid": 5}]}),
                ("eth1 is part of the bridge or bond br0", {"link": [dict(ETH1, master="br0")]}),
                ("eth1.5 stands on eth1", {"link": [ETH1, {"ifname": "eth1.5", "link": "eth1"}]}),
                ("an XDP program runs on eth1", {"link": [dict(ETH1, xdp={"mode": 1})]}),
                ("another network namespace", {"link": []})):
            if "IPv6" in words and not os.path.exists("/proc/net/if_inet6"):
                continue
            self.k.write("/net.json", json.dumps({"link": [ETH1]} | net))
            self.refused(1, words, "--bind", NIC)
            self.refused(1, "--even-in-use " + NIC, "--bind", NIC)
            self.assertIn("--undo does not restore: ", self.ok("--bind", NIC, "--even-in-use", NIC, "--dry-run"))
            self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/ice")
            self.refused(77, words if "namespace" not in words else "no PCI device", "--take",
                         "eth1" if "namespace" not in words else "eth2")
        self.refused(2, "repeats the address", "--bind", NIC, "--even-in-use", "0000:3b:00.1")

    def test_a_nic_with_addresses_and_routes_gets_them_back(self):
        self.k.write("/net.json", json.dumps(IN_USE))
        before = self.host()
        self.refused(1, "eth1 has the address 10.0.0.1/24", "--bind", NIC)
        self.assertNotIn("does not restore", self.ok("--bind", NIC, "--even-in-use", NIC))
        self.assertNotIn("10.0.0.1", self.k.read("/net.json"))
        self.ok("--undo")
        self.assert_restored(before, "undo")

    def test_a_taken_nic_is_given_back_and_other_changes_stay(self):
        self.k.write("/sys/bus/pci/drivers/vfio-pci/x", "")
        self.k.write("/net.json", json.dumps(IN_USE))
        self.ok("--pages", "7")
        before = self.host()
        self.assertIn("eth1 disappears", self.ok("--take", "eth1", "--dry-run"))
        self.assert_restored(before, "dry run")
        self.ok("--take", "eth1")
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/vfio-pci")
        self.assertEqual(self.ok("--give-back", "eth2"), "nothing to undo\n")
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/vfio-pci")
        self.ok("--give-back", "eth1")
        self.assert_restored(before, "given back")
        self.assertEqual(self.pages(), 27)
        self.refused(2, "take no other action", "--take", "eth1", "--pages", "7")

    def test_a_nic_is_given_back_after_a_take_that_was_killed(self):
        self.k.write("/net.json", json.dumps(IN_USE))
        before = self.host()
        for when, code in self.each_point("--take", "eth1", stop_by=killed):
            self.assertEqual(code, KILLED, when)
            self.ok("--give-back", "eth1")
            self.assert_restored(before, when)

    def test_a_give_back_that_was_killed_is_continued_by_undo(self):
        self.k.write("/net.json", json.dumps(IN_USE))
        before = self.host()
        self.ok("--take", "eth1")
        for when, code in self.each_point("--give-back", "eth1", stop_by=killed):
            self.assertEqual(code, KILLED, when)
            self.ok("--undo")
            self.assert_restored(before, when)

    def test_a_setting_that_does_not_come_back_is_named_and_the_record_stays(self):
        net = json.loads(json.dumps(IN_USE))
        net["text-4"].append(["eth1", "unicast 10.8.0.0/16 refused table main"])
        self.k.write("/net.json", json.dumps(net))
        self.ok("--take", "eth1")
        self.refused(1, "cannot restore eth1: `ip route add unicast 10.8.0.0/16", "--give-back", "eth1")
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/ice")
        self.assertTrue(os.path.exists(self.root + STATE))

    def test_take_loads_no_module_and_wants_one_interface_of_a_pci_device(self):
        shutil.rmtree(self.root + "/sys/bus/pci/drivers/vfio-pci")
        self.refused(77, "modprobe vfio-pci", "--take", "eth1")
        self.refused(77, "eth7 is no PCI device", "--take", "eth7")
        self.k.write(DEVICE + "/sriov_numvfs", "2")
        self.refused(77, "2 virtual functions use it", "--take", "eth1")
        self.k.write(DEVICE + "/net/eth3/ifindex", "4")
        self.refused(77, f"{NIC} has 2 interfaces", "--take", "eth1")

    def test_addresses_and_routes_of_others_do_not_matter(self):
        self.k.write("/net.json", json.dumps({
            "link": [ETH1], "route-4": [{"dst": "default", "dev": "eth2"}, {"dst": "10.0.0.0/8", "dev": "eth1"},
                                        {"dst": "default", "type": "unreachable", "dev": "eth1"}],
            "addr": [{"ifname": "eth2", "addr_info": [{"local": "10.0.0.1", "prefixlen": 24, "scope": "global"}]}]}))
        self.ok("--bind", NIC)

    def test_a_nic_with_virtual_functions_or_without_interface_is_in_use(self):
        self.k.write(DEVICE + "/sriov_numvfs", "2")
        self.refused(1, "virtual functions", "--bind", NIC)
        self.k.write(DEVICE + "/sriov_numvfs", "0")
        shutil.rmtree(self.root + DEVICE + "/net")
        self.refused(1, "ice drives it, and its interface is in another network namespace", "--bind", NIC)

    def test_a_busy_neighbour_in_the_iommu_group_is_named(self):
        neighbour = "/sys/bus/pci/devices/0000:3b:00.1"
        self.k.write("/sys/kernel/iommu_groups/7/devices/0000:3b:00.1", "")
        self.k.write(neighbour + "/class", "0x020000")
        self.k.link(neighbour + "/driver", "../../drivers/ice")
        self.refused(1, "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.1", "--bind", NIC)
        self.k.write(neighbour + "/class", "0x060400")  # a bridge
        self.ok("--bind", NIC)

    def test_without_an_iommu_the_user_has_to_ask_for_it(self):
        os.unlink(self.root + DEVICE + "/iommu_group")
        self.k.write(NOIOMMU, "N")
        before = self.host()
        self.refused(77, "--unsafe-no-iommu", "--bind", NIC)
        self.ok("--bind", NIC, "--unsafe-no-iommu")
        self.assertEqual(self.k.read(NOIOMMU), "Y")
        self.ok("--undo")
        self.assert_restored(before, "undo")
        shutil.rmtree(self.root + "/sys/module/vfio")
        self.refused(77, "only the loaded module shows", "--bind", NIC, "--unsafe-no-iommu")
        self.k.write("/sys/module/vfio/x", "")
        self.k.write("/modules", "vfio-pci uio_pci_generic")
        out = self.ok("--bind", NIC, "--unsafe-no-iommu")
        self.assertIn("modprobe -q uio_pci_generic", out)
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/uio_pci_generic")
        self.ok("--undo")
        self.k.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality")
        self.refused(77, "locked down", "--bind", NIC, "--unsafe-no-iommu")

    def test_a_device_that_a_program_has_open_is_not_taken_back(self):
        self.ok("--bind", NIC)
        real = os.open

        def busy(path, *arguments):
            if "/dev/vfio/" in str(path):
                raise OSError(errno.EBUSY, "busy")
            return real(path, *arguments)

        def patch(module):
            self.addCleanup(setattr, os, "open", real)
            module.os.open = busy

        code, _, err = self.run_script("--undo", patch=patch)
        os.open = real
        self.assertEqual(code, 1)
        self.assertIn("fuser -v /dev/vfio/7", err)
        self.ok("--undo")

    def test_a_nic_that_was_given_to_a_third_driver_is_left_there(self):
        self.ok("--bind", NIC)
        self.k.link(DEVICE + "/driver", "../../drivers/other")
        self.refused(1, "it was given to other meanwhile", "--undo")
        self.assertEqual(os.readlink(self.root + DEVICE + "/driver"), "../../drivers/other")

    def test_a_nic_that_needs_no_change_is_left_alone(self):
        for driver in ("vfio-pci", "mlx5_core"):
            self.k.link(DEVICE + "/driver", "../../drivers/" + driver)
            self.assertIn("nothing that --fix can do", self.ok("--bind", NIC))
        self.k.write(DEVICE + "/class", "0x010802")
        self.refused(1, "no network device", "--bind", NIC)
        self.refused(77, "cannot find", "--bind", "0000:99:00.0")

    def test_a_module_is_loaded_and_stays(self):
        os.rename(self.root + "/sys/bus/pci/drivers/vfio-pci", self.root + "/x")
        self.assertIn("modprobe -q vfio-pci   # vfio.module", self.ok("--module", "vfio-pci"))
        self.assertEqual(self.ok("--undo"), "nothing to undo\n")
        self.assertTrue(os.path.exists(self.root + "/sys/bus/pci/drivers/vfio-pci"))
        self.refused(1, "no such module", "--module", "tun")

    def test_the_json_document_names_checks_and_states(self):
        self.k.write("/refusing", "vfio-pci")
        code, out, err = self.run_script("--json", *ALL)
        self.assertEqual(code, 1)
        self.assertEqual([(s["check"], s["state"]) for s in json.loads(out)],
                         [("hugepages.free", "done"), ("hugepages.mount", "done"), ("nic.driver", "failed")])
        self.assertIn("nr_hugepages", err)
        code, out, _ = self.run_script("--json", "--undo")
        self.assertEqual([(code, s["state"]) for s in json.loads(out)], [(0, "undone")] * 2)

    def test_without_root_the_commands_are_printed_and_nothing_is_done(self):
        def patch(module):
            module.ROOT = ""
            self.addCleanup(setattr, os, "geteuid", os.geteuid)
            module.os.geteuid = lambda: 1000

        code, out, err = self.run_script("--bind", NIC, patch=patch)
        self.assertEqual(code, 77)
        self.assertIn("drivers_probe", out)
        self.assertIn("only root", err)


if __name__ == "__main__":
    unittest.main()
