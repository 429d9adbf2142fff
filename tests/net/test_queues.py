# SPDX-License-Identifier: BSD-3-Clause
"""Several transmit queues without a receiver: counters, and how they end."""
import signal

from harness import check, equal, poll_until

TWO = ("--port", "null", "--to", "239.77.0.1:4001", "--no-huge", "--json", "--queues", "2")


def test_two_queues_send_each_byte_once_in_each_pass(t):
    p = t.run("send", t.file("a", 3000001), t.file("b", 1), *TWO, "--loop", "3")
    p.ends_with(0)
    equal(p.json["payload_bytes"], 3 * 3000002, "payload bytes of both queues")
    equal(p.json["passes"], 3, "passes")


def test_an_interrupt_ends_all_queues(t):
    p = t.start("send", t.file("a", 3000001), *TWO, "--loop", "0", "--rate", "100Mbit/s",
                "--progress")
    poll_until(lambda: "sending" in p.err, 20, "progress")
    p.signal(signal.SIGINT)
    p.ends_with(0)
    check(p.json["interrupted"], "not told as interrupted")


def test_more_queues_than_the_port_has_are_refused_with_the_number(t):
    p = t.run("send", t.file("a", 1), "--port", f"pcap:{t.path('w.pcap')}", "--to",
              "239.77.0.1:4001", "--no-huge", "--queues", "2")
    check(p.code != 0, "two queues of a port that has one")
    check("lower --queues to 1" in p.err, p.err)


def test_queues_of_a_socket_are_refused(t):
    p = t.run("recv", "--listen", "127.0.0.1:4001", "--discard", "--queues", "2")
    check(p.code != 0, "two queues of a socket")
    check("cannot use --queues without a port" in p.err, p.err)
