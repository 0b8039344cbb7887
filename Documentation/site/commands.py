#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Are the commands that the documentation shows such as there are? Of those in README.md, in the pages and
in running text: each target of make's, each of knellctl's words, each option of knellctl's and knelld's, as
their manuals have them (selftests/manual holds those to the programs), each script of the tree. A block that
shows commands must be "console", which a test runs, or have a comment before it, ".. not run: WHY", and then
it may be of another tree.

usage: commands.py TREE
"""

import os
import re
import sys

# What a command begins with, if it is to be told from other text.
BEGINNINGS = r"(?:[\w.]+/)*(?:knelld|knellctl|make|git|sudo|unshare|insmod|modprobe|docker|kubectl|apt|systemctl)"
SHOWS = re.compile(rf"\s+(?:[#$] )?{BEGINNINGS} ")
# A first line such as a shell would take.
SHELL = re.compile(r"\s+(?:[#$] )?[a-z./][\w./-]*(?: |$)")
SYNOPSIS = re.compile(r"\[-|\[[A-Z]|\.\.\.")
DIRECTIVE = re.compile(r"\s*\.\. (?:code-block|code|sourcecode)::\s*(\S*)")


def read(tree, name):
    """A file of the tree, as lines."""
    with open(os.path.join(tree, name), encoding="utf-8") as file:
        return file.read().splitlines()


class Known:
    """What there is to be named."""

    def __init__(self, tree):
        self.tree = tree
        phony = next(line for line in read(tree, "Makefile") if line.startswith(".PHONY:"))
        self.targets = set(phony.split()[1:])
        self.options, self.words = {}, set()
        for program, page in (("knelld", "knelld.8"), ("knellctl", "knellctl.1")):
            lines = read(tree, "Documentation/man/" + page)
            text = "\n".join(line for line in lines if line.startswith("."))
            self.options[program] = {"--" + name for name in re.findall(r"\bFl Fl ([\w-]+)", text)}
            self.options[program] |= {"-" + name for name in re.findall(r"\bFl (\w)\b", text)}
        for line in read(tree, "Documentation/man/knellctl.1"):
            for words in re.findall(r"\bCm ([a-z-]+(?: , [a-z-]+)*)", line):
                self.words |= set(words.split(" , "))

    def wrong(self, command):
        """What is wrong with a command, one after the other."""
        words = command.split()
        program = os.path.basename(words[0])
        if "/" in words[0] and words[0].split("/")[0] in ("selftests", ".ci", "Documentation", "demo"):
            if not os.path.exists(os.path.join(self.tree, words[0])):
                yield f"there is no {words[0]}"
        if program == "make" and "-C" not in words:
            for word in words[1:]:
                if re.fullmatch(r"[a-z][a-z-]*", word) and word not in self.targets:
                    yield f"there is no make {word}"
        if program in self.options and "--" not in words:
            for word in words[1:]:
                option = re.match(r"--[a-z][a-z-]*|-[a-zA-Z]", word)
                if option and option[0] not in self.options[program]:
                    yield f"{program} has no {option[0]}"
        if program == "knellctl":
            word = next((word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)), None)
            before = words[words.index(word) - 1] if word else ""
            if word and word not in self.words and before not in ("--socket",):
                yield f"there is no knellctl {word}"


def commands(text):
    """The commands in a line of shell, one after the other."""
    text = re.sub(r"(^|\s)#.*", "", text)
    for part in re.split(r"[;|&()]|\$\(", re.sub(r"'[^']*'|\"[^\"]*\"|\d?>>?\s*\S+", "''", text)):
        words = part.split()
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            yield " ".join(words)


def shown(lines, page):
    """Each line that shows commands: (number, text); and (number, None) for a block that is not marked."""
    block, depth, first, reason, blank = None, 0, False, False, True
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= depth:
            block, reason = None, False
        if block is None:
            for code in re.findall(r"``([^`]+)``|(?<!`)`([^`]+)`(?!`)", line):
                yield number, code[0] or code[1]
            directive = DIRECTIVE.match(line)
            if re.match(r"\s*\.\. not run: \S", line):
                reason = True
            elif directive and page:
                block, depth, first = directive[1] or "plain", indent, True
            elif line.rstrip().endswith("::") and page and not re.match(r"\s*\.\. ", line):
                block, depth, first = "plain", indent, True
            elif not page and line.startswith("    ") and blank:
                block, depth = "markdown", 3
        elif block == "console" and re.match(r"\s*[#$] ", line):
            yield number, line.strip()[2:]
        elif block in ("plain", "text", "sh", "shell", "bash") and not reason:
            if first and line.strip() and SHELL.match(line) and not SYNOPSIS.search(line):
                yield number, None
            if SHOWS.match(line):
                yield number, line.strip()
            first = first and not line.strip()
        if block == "markdown" and SHOWS.match(line):
            yield number, line.strip()
        blank = not line.strip()


def main():
    """Looks at all, prints what is wrong and how many there were."""
    tree = sys.argv[1]
    known, names, looked_at, wrong, not_run = Known(tree), ["README.md", "SECURITY.md"], 0, 0, 0
    for place, _, files in os.walk(os.path.join(tree, "Documentation")):
        names += [os.path.relpath(os.path.join(place, name), tree) for name in files if name.endswith(".rst")]
    for name in sorted(names):
        lines = read(tree, name)
        not_run += sum(bool(re.match(r"\s*\.\. not run: \S", line)) for line in lines)
        for number, text in shown(lines, name.endswith(".rst")):
            faults = []
            if text is None:
                faults.append("neither a console's block nor \".. not run: WHY\"")
            elif re.match(rf"{BEGINNINGS}( |$)|(selftests|\.ci)/\S+( |$)", text) or "knellctl " in text:
                for command in commands(text):
                    looked_at += 1
                    faults += known.wrong(command)
            for fault in faults:
                wrong += 1
                print(f"{name}:{number}: {fault}")
    print(f"commands: {looked_at} looked at, {wrong} wrong; blocks that are not run: {not_run}")
    return 1 if wrong or not looked_at else 0


sys.exit(main())
