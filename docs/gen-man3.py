#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""gen-man3.py pagewire.h DIR|--list: writes section 3 of the manual into DIR, from the header's own comments: one page
for the library, and one for each function. --list prints the pages' names."""
import re
import sys
import textwrap

BLOCK = re.compile(r"(?:/\*(?P<comment>.*?)\*/\n)?(?P<code>(?:^(?!/\*|#|\n|}|extern)[^\n]*\n)+)", re.S | re.M)
FUNCTION = re.compile(r"^[a-z][^;{]*?(pagewire_\w+)\([^;]*\);", re.M)


def plain(comment: str) -> str:
    """A comment's text, without its stars; deeper lines keep what is deeper."""
    lines = [re.sub(r"^[ \t]*\*? ?", "", line, count=1) for line in comment.strip("\n *").split("\n")]
    return textwrap.dedent("\n".join([lines[0].strip(), *lines[1:]]))


def escaped(text: str) -> str:
    return re.sub(r"^([.'])", r"\\&\1", text.replace("\\", "\\e"), flags=re.M)


def mdoc(text: str) -> str:
    """Paragraphs; indented lines are printed as they are."""
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        for deep, rows in groups(paragraph.split("\n")):
            body = escaped("\n".join(rows))
            if deep:
                if out and out[-1] == ".Pp":  # .Bd has space above it
                    out.pop()
                out.append(f".Bd -literal -offset indent\n{body}\n.Ed")
            else:
                out.append(re.sub(r"(?<=[.:;]) +(?=[A-Z])", "\n", body))
        out.append(".Pp")
    return "\n".join(out[:-1])


def groups(lines: list[str]) -> list[tuple[bool, list[str]]]:
    found: list[tuple[bool, list[str]]] = []
    for line in lines:
        deep = line.startswith(" ")
        if not found or found[-1][0] != deep:
            found.append((deep, []))
        found[-1][1].append(line)
    return found


def prototype(code: str) -> str:
    return "\n".join(escaped(line.expandtabs(4)) for line in code.strip().split("\n"))


def page(name: str, what: str, code: str, text: str, others: list[str]) -> str:
    see = " ,\n".join(f".Xr {other} 3" for other in others if other != name)
    return (f'.\\" SPDX-License-Identifier: BSD-3-Clause\n.Dd November 28, 2026\n'
            f".Dt {name.upper()} 3\n.Os\n.Sh NAME\n.Nm {name}\n"
            f".Nd {what}\n.Sh LIBRARY\nlibpagewire (link with\n.Ql pkg-config --libs pagewire )\n.Sh SYNOPSIS\n"
            f".In pagewire.h\n.Bd -literal\n{code}\n.Ed\n.Sh DESCRIPTION\n{text}\n.Sh SEE ALSO\n{see}\n")


def main() -> int:
    path, target = sys.argv[1:3]
    with open(path, encoding="utf-8") as f:
        header = f.read()
    head = re.search(r"/\*\n(.*?)\*/", header.partition("\n")[2], re.S)
    assert head
    # between the braces of extern "C"
    body = header.split("#endif\n")[1].rpartition("#ifdef")[0].strip() + "\n"
    functions: dict[str, tuple[str, str]] = {}
    for block in BLOCK.finditer(body):
        for found in FUNCTION.finditer(block["code"]):
            functions[found[1]] = (found[0], plain(block["comment"]) if block["comment"] else "")
    names = sorted(["libpagewire", *functions])
    if target == "--list":
        print("\n".join(f"{name}.3" for name in names))
        return 0
    for name, (code, text) in functions.items():
        of = "receiver" if "_recv" in name else "sender"
        text = mdoc(text or "See the library's page.")
        with open(f"{target}/{name}.3", "w", encoding="utf-8") as f:
            f.write(page(name, f"a function of libpagewire's {of}", prototype(code), text, names))
    with open(f"{target}/libpagewire.3", "w", encoding="utf-8") as f:
        f.write(page("libpagewire", "files from mapped pages to the wire, and back, for programs",
                     prototype(body), mdoc(plain(head[1])), names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
