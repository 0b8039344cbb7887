# SPDX-License-Identifier: GPL-2.0-only
"""Which commands the documentation shows: in README.md, CONTRIBUTING.md, SECURITY.md and the pages, in blocks
and in running text, and in the manual where a line stands by itself (.Dl). CHANGELOG.md tells of what has been.
Each is (line, text, kind): a command is to be typed, a name (of a file of the tree, or what can be said
to a program) is not, and a block of commands of which nobody says who runs them is "nobody's".
"""

import os
import re

# What a command begins with, if it is to be told from other text. A word alone in running text is a name.
PROGRAMS = r"(?:knelld|knelld-static|knellctl|make|git|sudo|unshare|insmod|modprobe|docker|kubectl|apt|systemctl" \
    r"|journalctl|systemd-analyze|cc|dkms|groupadd|modinfo|mokutil|openssl)"
COMMAND = re.compile(rf"(?:[A-Z_]+=\S* )*(?:(?:[\w.]+/)*{PROGRAMS}|(?:selftests|\.ci|Documentation|demo|debian)/\S+)(?: |$)")
# A first line such as a shell would take.
SHELL = re.compile(r"\s+(?:[#$] )?[a-z./][\w./-]*(?: |$)")
# What can be said to a program, which nobody types.
SYNOPSIS = re.compile(r"\[-|\[[A-Z]|\]\.\.\.")
DIRECTIVE = re.compile(r"\s*\.\. (?:code-block|code|sourcecode)::\s*(\S*)")
REASON = re.compile(r"\s*\.\. (?:not run|run by): \S")


def read(tree, name):
    """A file of the tree, as lines."""
    with open(os.path.join(tree, name), encoding="utf-8") as file:
        return file.read().splitlines()


def plain(text):
    """A command without what is said of it, in one line."""
    return " ".join(re.sub(r"(^|\s)#(\s.*|$)", "", text).split())


def lines_of_block(block):
    """The commands in the lines of a block, of which a line may go on in the next one."""
    whole, began = "", 0
    for number, line in block:
        began = began if whole else number
        whole += " " + line.strip()
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        if plain(whole):
            yield began, plain(whole), "command"
        whole = ""


def console(block):
    """The same of a console's block: behind a prompt, and what goes on behind another one."""
    whole, began = "", 0
    for number, line in block + [(0, "# ")]:
        line = line.strip() + " "
        if line[:2] in ("# ", "$ "):
            if plain(whole):
                yield began, plain(whole), "command"
            whole, began = line[2:], number
        elif line.startswith("> ") and whole.rstrip().endswith("\\"):
            whole = whole.rstrip()[:-1] + line[2:]


def in_text(paragraph, quoted):
    """Those in running text, which may begin in one line and end in the next."""
    text, starts = "", []
    for number, line in paragraph:
        starts.append((len(text), number))
        text += line.strip() + " "
    for found in re.finditer(quoted, text):
        code = plain(found[1])
        if COMMAND.match(code) and (" " in code or "/" in code):
            number = max(number for start, number in starts if start <= found.start())
            yield number, code, "command" if " " in code and not SYNOPSIS.search(code) else "name"


def blocks(lines):
    """The parts of a page, one after the other: (kind, reason, lines); the kind of text is None."""
    kind, depth, reason, part = None, 0, False, []
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if kind is not None and line.strip() and indent <= depth:
            yield kind, reason, part
            kind, reason, part = None, False, []
        if kind is None and not line.strip():
            yield None, False, part
            part = []
            continue
        part.append((number, line))
        if kind is not None:
            continue
        directive = DIRECTIVE.match(line)
        if REASON.match(line):
            part.pop()
            reason = True
        elif directive or (line.rstrip().endswith("::") and not re.match(r"\s*\.\. ", line)):
            yield None, False, part[:-1] if directive else part
            kind, depth, part = directive[1] or "plain" if directive else "plain", indent, []
    yield kind, reason, part


def of_page(lines):
    """What a page shows."""
    for kind, reason, part in blocks(lines):
        first = next((line for _, line in part if line.strip()), "")
        if kind is None:
            yield from in_text(part, r"``([^`]+)``")
        elif kind == "console":
            yield from console(part)
        elif kind in ("plain", "text", "sh", "shell", "bash"):
            if SYNOPSIS.search(first):
                yield part[0][0], plain(first), "name"
            elif SHELL.match(first):
                if not reason:
                    yield part[0][0], plain(first), "nobody's"
                yield from lines_of_block(part)


def of_markdown(lines):
    """What a file in Markdown shows: an indented block of commands begins with one of ours."""
    part, block, fenced, blank = [], [], False, True
    for number, line in enumerate(lines + [""], 1):
        fenced ^= line.startswith("```")
        if not fenced and line.startswith("    ") and (blank or block):
            block.append((number, line))
        else:
            if block and COMMAND.match(block[0][1].strip()):
                yield from lines_of_block(block)
            block = []
        if line.strip() and not block and not fenced:
            part.append((number, line))
        else:
            yield from in_text(part, r"`([^`]+)`")
            part = []
        blank = not line.strip()


def of_manual(lines):
    """What a page of the manual shows by itself."""
    for number, line in enumerate(lines, 1):
        if line.startswith(".Dl "):
            yield number, plain(line[4:]), "command"


def pages(tree):
    """All that show something: (name, what shows it)."""
    found = [(name, of_markdown) for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for place, _, files in os.walk(os.path.join(tree, "Documentation")):
        for name in files:
            how = of_page if name.endswith(".rst") else of_manual if os.path.basename(place) == "man" else None
            if how:
                found.append((os.path.relpath(os.path.join(place, name), tree), how))
    return sorted(found, key=lambda page: page[0])


def all_of(tree):
    """What all of them show, with the page's name before each."""
    for name, how in pages(tree):
        for found in how(read(tree, name)):
            yield name, *found
