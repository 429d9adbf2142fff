# SPDX-License-Identifier: BSD-3-Clause
"""The files of a bench. Each test runs in a thread of its own: the mounts of a store end with it."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench import linux, store
from bench.model import BenchError
from bench.store import NotDropped, Store, make_store
from cells_of import need_root, program

DISK = "/var/tmp"


def _made(sizes: Sequence[int], user_file: str | None = None,
          cold_dir: str | None = None) -> list[dict[str, bytes]]:
    """The bytes of each file of a store, by place. The store is removed; it leaves nothing."""
    def work() -> list[dict[str, bytes]]:
        s = Store()
        try:
            make_store(s, program(), sizes, 0, user_file, cold_dir)
            return [{place: Path(path).read_bytes() for place, path in
                     (("tmpfs", f.tmpfs), ("huge", f.huge), ("disk", f.disk)) if path} for f in s.files]
        finally:
            left = [s.dir, *(f.disk for f in s.files)]
            s.remove()
            assert not [path for path in left if path and os.path.exists(path)]
    return linux.in_thread(work)


@need_root
def test_every_size_has_its_own_length_and_the_same_first_bytes() -> None:
    sizes = (0, 1, 4097, 100_001)
    files = _made(sizes)
    whole = files[-1]["tmpfs"]
    for size, places in zip(sizes, files, strict=True):
        assert all(data == whole[:size] for data in places.values())
    assert len(set(whole)) == 256, "the bytes are not random"


@need_root
def test_two_benches_send_the_same_bytes() -> None:
    assert _made([10_000]) == _made([10_000])


@need_root
def test_a_users_file_is_in_every_place(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_bytes(os.urandom(70_001))
    places = _made([70_001], str(own), DISK)[0]
    assert "disk" in places
    assert set(places.values()) == {own.read_bytes()}


@need_root
def test_a_link_that_waits_in_the_directory_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, tmp_path / f"pagewire-bench-{os.getpid()}-0")
    with contextlib.suppress(NotDropped):  # where pytest's directory is in memory
        _made([10_000], cold_dir=str(tmp_path))
    assert victim.read_text() == "precious"


@need_root
def test_a_users_file_that_changes_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_bytes(bytes(99))
    with pytest.raises(BenchError, match="its length has changed"):
        _made([100], str(own))


@need_root
def test_a_disk_in_memory_is_refused_and_nothing_is_left() -> None:
    before = set(os.listdir("/dev/shm"))
    with pytest.raises(NotDropped, match="stay in memory; use --dir"):
        _made([1 << 20], cold_dir="/dev/shm")
    assert set(os.listdir("/dev/shm")) == before


def test_files_larger_than_the_memory_are_refused() -> None:
    with pytest.raises(BenchError, match="available") as e:
        make_store(Store(), "pagewire", [1 << 60], 0)
    assert e.value.code == 77


def test_a_dropped_file_is_not_in_the_page_cache() -> None:
    path = Path(DISK, f"pagewire-test-{os.getpid()}")
    path.write_bytes(os.urandom(1 << 20))
    try:
        fd = os.open(path, os.O_RDONLY)
        assert linux.resident_pages(fd)[0] == 256
        try:
            store.drop(str(path))
        except NotDropped:
            pytest.skip(f"{DISK} is in memory")
        assert linux.resident_pages(fd) == (0, 256)
        os.close(fd)
    finally:
        path.unlink()
