#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""check-completion.py SHELL SCRIPT PAGEWIRE: what Tab offers in a shell, seen as a user sees it. Every option of
--help all must be there. Exit code 77 without the shell."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

DEADLINE_S = 40

READY = rb"ready> .*\x1b\[\?2004h"  # zsh reads keys from here on

BASH = r"""
. /usr/share/bash-completion/bash_completion
. "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9 COMP_KEY=9
IFS=$' \t\n' read -ra COMP_WORDS <<<"${LINE//=/ = }"
[[ $LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; } # it works while bash itself completes, only
_pagewire
printf '%s\n' "${COMPREPLY[@]}"
"""


def by_bash(script: str, line: str) -> set[str]:
    if not os.path.exists("/usr/share/bash-completion/bash_completion"):
        raise FileNotFoundError("the package bash-completion")
    return set(run(["bash", "-c", BASH], SCRIPT=script, LINE=line).split())


def by_fish(script: str, line: str) -> set[str]:
    found = run(["fish", "--no-config", "-c", 'source $SCRIPT; complete -C "$LINE"'], SCRIPT=script, LINE=line)
    return {row.split("\t")[0] for row in found.splitlines()}


def run(argv: list[str], **env: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        p = subprocess.run(argv, env={**os.environ, "HOME": home, **env}, stdin=subprocess.DEVNULL, text=True,
                           timeout=DEADLINE_S, check=True, capture_output=True)
        if p.stderr:
            raise RuntimeError(f"{argv[0]}, {env.get('LINE', '')!r} and Tab: {p.stderr}")
        return p.stdout


class Zsh:
    """zsh completes at a terminal alone: types the line and reads the list that it shows."""

    def __init__(self) -> None:
        self.home = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.terminal = -1

    def start(self, script: str) -> None:
        home = self.home.name
        os.symlink(os.path.abspath(script), f"{home}/_pagewire")
        with open(f"{home}/.zshrc", "w", encoding="ascii") as f:
            f.write(f"PS1='ready> '\nLISTMAX=10000\nfpath=({home} $fpath)\nautoload -Uz compinit\n"
                    f"compinit -u -d {home}/dump\nsetopt no_beep\nbindkey '^I' list-choices\n")
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.environ.update(ZDOTDIR=home, HOME=home, TERM="dumb", COLUMNS="200", LINES="1000")
            os.execvp("zsh", ["zsh", "-i"])
        self.until(READY)

    def until(self, pattern: bytes) -> bytes:
        text, end = b"", time.monotonic() + DEADLINE_S
        while not re.search(pattern, text, re.S):
            if time.monotonic() > end:
                raise TimeoutError(f"zsh shows no {pattern!r}, but {text!r}")
            if select.select([self.terminal], [], [], 0.5)[0]:
                text += os.read(self.terminal, 65536)
        return text

    def __call__(self, script: str, line: str) -> set[str]:
        if self.terminal < 0:
            self.start(script)
        typed = re.escape(line.encode())
        os.write(self.terminal, line.encode() + b"\t")
        text = self.until(typed + b".*\n.*ready> " + typed)  # the list, and the line again
        os.write(self.terminal, b"\x15print end$((1 + 1))\n")  # ^U empties the line
        self.until(b"end2.*" + READY)
        return set(text.decode(errors="replace").split())


def main() -> int:
    shell, script, pagewire = sys.argv[1:4]
    shells: dict[str, Callable[[str, str], set[str]]] = {"bash": by_bash, "zsh": Zsh(), "fish": by_fish}
    by = shells[shell]
    if not shutil.which(shell):
        print(f"no {shell}: its completion is not tested; apt-get install {shell}")
        return 77
    commands = set(re.findall(r"^  ([a-z]+) ", run([pagewire, "--help"]), re.M))
    wanted = {"pagewire ": commands, "pagewire send --port nul": {"null"}, "pagewire send --port tap": {"tap:"},
              "pagewire recv --interface l": {"lo"}, "pagewire recv --out /usr/sha": {"/usr/share/"},
              "pagewire send --pages st": {"stage", "stream"}, "pagewire send --pages=st": {"stage", "stream"}}
    for command in commands:
        text = run([pagewire, command, "--help", "all"])
        wanted[f"pagewire {command} --"] = {f"--{o}" for o in re.findall(r"^  (?:-., |    )--([a-z0-9-]+)", text, re.M)}
    failed = 0
    for line, words in wanted.items():
        found = by(script, line)
        # each shell shows a path or --name=value in its own way
        shown = found | {w.rstrip("/") for w in found} | {w.rpartition("=")[2] for w in found} | \
            {w.rpartition("/")[2] for w in found} | {w.rstrip("/").rpartition("/")[2] for w in found}
        missing = {w for w in words if w not in shown and w.rstrip("/").rpartition("/")[2] not in shown}
        if missing:
            failed = 1
            print(f"{shell}: '{line}' and Tab: {sorted(missing)} missing from {sorted(found)[:40]}")
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FileNotFoundError as e:
        print(f"{e}: the completion is not tested")
        sys.exit(77)
