# SPDX-License-Identifier: BSD-3-Clause
"""Programs are started, heard and ended. `sh` stands for each of them."""
import os
import signal
import subprocess
import sys
import time

import pytest
from bench.model import BenchError, Lacking
from bench.programs import Finished, Program, wait_all

ASKS = ["sh", "-c", "echo ready; read x; echo got $x; exit $x"]
CHILDREN = "sleep 1000 & echo $!; "


def runs(pid):
    """Zombies do not: nothing of them is left but their exit status."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid):
    deadline = time.monotonic() + 10
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not runs(pid)


def test_a_program_is_run_and_what_it_said_kept():
    with Program(ASKS) as p:
        p.until("ready")
        p.say("0\n")
        done = p.wait()
    assert done.stdout == "ready\ngot 0\n" and done.stderr == ""
    assert 0 < done.seconds < 60 and done.peak_bytes > 0


def test_the_error_of_a_program_names_its_exit_code_and_its_last_line():
    with Program(ASKS) as p, pytest.raises(BenchError) as e:
        p.say("7\n")
        p.wait()
    assert str(e.value) == "cannot run sh: exit code 7: got 7"


def test_exit_code_77_and_a_program_that_is_not_here_are_lacking():
    with Program(["sh", "-c", "echo no huge pages >&2; exit 77"]) as p, pytest.raises(Lacking) as e:
        p.wait()
    assert str(e.value) == "cannot run sh: exit code 77: no huge pages"
    with pytest.raises(Lacking, match="cannot run no-such-program-anywhere: it is not installed here"):
        Program(["no-such-program-anywhere"])


def test_a_program_that_ends_while_its_word_is_awaited_says_why():
    with Program(["sh", "-c", "echo bye >&2"]) as p, pytest.raises(BenchError, match="it ended early: bye"):
        p.until("ready")


def test_a_program_is_bounded_in_time_and_its_children_end_with_it():
    with Program(["sh", "-c", f"trap '' INT; {CHILDREN} echo deaf; sleep 1000"], limit=0.2) as p:
        p.until("deaf")
        with pytest.raises(BenchError, match="it exceeded its time limit of 0.2 s"):
            p.wait()
        child = int(bytes(p._out.bytes).split()[0])
        pid = p._process.pid
        assert runs(pid) and runs(child)
    assert not runs(pid)
    await_end(child)


def test_children_end_with_a_program_that_has_ended_well():
    with Program(["sh", "-c", CHILDREN], limit=10) as p:
        child = int(p.wait().stdout)
    await_end(child)


def start_bench(code):
    """A bench of its own: signals go to the main thread, where pytest-xdist does not always run a test."""
    scripts = os.path.dirname(os.path.dirname(sys.modules["bench.programs"].__file__))
    return subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, sys.argv[1])\n{code}", scripts],
                            stdout=subprocess.PIPE)


def test_a_signal_for_the_bench_ends_the_wait_and_the_program():
    bench = start_bench("""if True:
        import signal
        from bench.model import Interrupted
        from bench.programs import Program
        def interrupt(number, frame):
            raise Interrupted
        signal.signal(signal.SIGUSR1, interrupt)
        try:
            with Program(["sleep", "1000"]) as p:
                print(p._process.pid, flush=True)
                p.wait()
        except Interrupted:
            print("interrupted")
        """)
    pid = int(bench.stdout.readline())
    assert runs(pid)
    bench.send_signal(signal.SIGUSR1)
    assert bench.communicate(timeout=10)[0] == b"interrupted\n"
    assert not runs(pid)


def test_a_bench_that_is_killed_leaves_no_program():
    bench = start_bench("from bench.programs import Program; "
                        "p = Program(['sh', '-c', 'echo $$; sleep 1000']); p.until('\\n'); "
                        "print(p._process.pid, flush=True); p.wait()")
    pid = int(bench.stdout.readline())
    assert runs(pid)
    bench.send_signal(signal.SIGKILL)
    bench.communicate(timeout=10)
    await_end(pid)


def test_a_program_runs_on_the_cpu_that_is_asked_for():
    cpu = max(os.sched_getaffinity(0))
    with Program([sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"], cpu=cpu) as p:
        assert p.wait().stdout.split() == [str(cpu)]


def test_cpu_time_and_memory_are_those_of_the_program():
    code = "x = bytearray(200 << 20)\nfor i in range(len(x) // 4096): x[i * 4096] = 1\nsum(range(5000000))"
    with Program([sys.executable, "-c", code]) as p:
        done = p.wait()
    assert 200 << 20 < done.peak_bytes < 300 << 20
    assert 0.02 < done.cpu_seconds <= done.seconds * 1.1


def test_numbers_are_found_in_what_a_program_printed():
    done = Finished("fio", '{"end": {"sum": {"lost": 2.5}}, "jobs": [{"n": 7}], "name": "x", "yes": true, '
                    '"late": [[7, 1], [9, 3]]}', "rate 3.5", 1.0, 1.0, 1)
    assert done.number("end.sum.lost") == 2.5
    assert done.number("jobs.0.n") == 7
    assert done.find(r"rate ([\d.]+)") == 3.5
    assert done.pairs("late") == [(7, 1), (9, 3)]
    for path in ("name", "jobs", "end.sum.lost", "none"):
        with pytest.raises(BenchError, match=f"it has no pairs {path}"):
            done.pairs(path)
    for path in ("name", "yes", "end", "end.sum.jitter", "jobs.1.n", "jobs.x", "name.x"):
        with pytest.raises(BenchError, match=f"cannot read the output of fio: it has no number {path}"):
            done.number(path)
    with pytest.raises(BenchError, match="nothing there matches"):
        done.find(r"speed (\d+)")


def test_the_first_program_that_fails_is_the_error_of_those_that_work_together():
    why = pytest.raises(BenchError, match="cannot run sh: exit code 1: no device")
    with Program(["sleep", "1000"]) as waits, Program(["sh", "-c", "echo no device; exit 1"]) as fails, why:
        wait_all(waits, fails)
    with Program(["echo", "1"]) as one, Program(["echo", "2"]) as two:
        assert [done.stdout for done in wait_all(one, two)] == ["1\n", "2\n"]
