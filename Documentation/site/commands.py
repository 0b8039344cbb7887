#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Are the commands that the documentation shows (shown.py) such as there are, and is each of them run?

Such as there are: each target of make's, each of knellctl's words, each option of knellctl's and knelld's, as
their manuals have them (selftests/manual holds those to the programs), each script, test, bench and storm.

Run: by selftests/docs_test.sh, selftests/docs or the guides' tests, which type the consoles' blocks, or as
commands.table says, of which each line has to be right and to be needed.

usage: commands.py TREE
"""

import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

import shown

TABLE = "Documentation/site/commands.table"


class Known:
    """What there is to be named."""

    def __init__(self, tree):
        self.tree = tree
        phony = next(line for line in shown.read(tree, "Makefile") if line.startswith(".PHONY:"))
        self.targets = set(phony.split()[1:])
        self.options, self.words = {}, set()
        for program, page in (("knelld", "knelld.8"), ("knellctl", "knellctl.1")):
            lines = shown.read(tree, "Documentation/man/" + page)
            text = "\n".join(line for line in lines if line.startswith("."))
            self.options[program] = {"--" + name for name in re.findall(r"\bFl Fl ([\w-]+)", text)}
            self.options[program] |= {"-" + name for name in re.findall(r"\bFl (\w)\b", text)}
        for line in shown.read(tree, "Documentation/man/knellctl.1"):
            for words in re.findall(r"\bCm ([a-z-]+(?: , [a-z-]+)*)", line):
                self.words |= set(words.split(" , "))
        text = "\n".join(shown.read(tree, "selftests/bench/bench.mk"))
        benches = " ".join(re.findall(r"^bench_\w+ := ([a-z ]+)$", text, re.M)).split()
        text = "\n".join(shown.read(tree, "selftests/soak/soak.sh"))
        storms = re.findall(r"^(?:storms=')?([a-z]+) \w+_test ", text, re.M)
        self.stages = set(re.findall(r"^(\w+)\(\)$", "\n".join(shown.read(tree, ".ci/lint")), re.M))
        self.lists = {"BENCH": benches, "SOAK": storms, "TESTS": self.tests()}

    def tests(self):
        """The tests, as TESTS= has them, or what their names begin with."""
        names = ["kmod", "guest"]
        for path in glob.glob(os.path.join(self.tree, "selftests/**/*"), recursive=True):
            part = os.path.relpath(path, os.path.join(self.tree, "selftests")).split("/")
            names.append("_".join(part).rsplit(".", 1)[0])
        for path in glob.glob(os.path.join(self.tree, "Documentation/examples/migrate/*")):
            names.append("migrate_" + os.path.basename(path))
        return names

    def wrong(self, command):
        """What is wrong with a command, one after the other."""
        words = command.split()
        program = os.path.basename(words[0])
        if "/" in words[0] and words[0].split("/")[0] in ("selftests", ".ci", "Documentation", "demo"):
            if not glob.glob(os.path.join(self.tree, re.sub(r"(\{|\b[A-Z]{3,}\b).*", "*", words[0]))):
                yield f"there is no {words[0]}"
        if words[0] == ".ci/lint":
            yield from (f"there is no stage {word}" for word in words[1:] if word not in self.stages)
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

    def wrong_lists(self, text):
        """What is wrong with what is selected in TESTS= and the like."""
        for kind, names in re.findall(r"\b(TESTS|BENCH|SOAK)=(\"[^\"]*\"|\S*)", text):
            for name in names.strip('"').replace("...", "").split():
                if not any((there + "_").startswith(name + "_") for there in self.lists[kind]):
                    yield f"there is no {kind}={name}"

    def is_run(self, name):
        """Is that file a part of .ci/run? That, a stage, what a stage calls, a guest's test, or in a suite."""
        part = name.split("/")
        if name in (".ci/run", ".ci/lint") or name in "\n".join(shown.read(self.tree, ".ci/lint")):
            return True
        if part[0] != "selftests":
            return False
        if len(part) == 2:
            return re.search(r"_test\.(c|sh)$", name) is not None
        makefile = os.path.join(self.tree, "selftests", part[1], "Makefile")
        return os.path.exists(makefile) and any(re.match(r"list:|include .*guest-room.mk", line)
                                                for line in shown.read(self.tree, makefile))


class Table:
    """commands.table: lines of commands, and behind them, indented, who runs them."""

    def __init__(self, known):
        self.known, self.faults, self.entries = known, [], []
        pending = []
        for number, line in enumerate(shown.read(known.tree, TABLE), 1):
            if line.startswith("\t"):
                kind, _, rest = line.strip().partition(" ")
                if not pending:
                    self.faults.append(f"{TABLE}:{number}: behind no command")
                self.faults += [f"{TABLE}:{number}: {fault}" for fault in self.wrong(kind, rest)]
                self.entries += [(where, pattern, kind, set()) for where, pattern in pending]
                pending = []
            elif line.strip() and not line.startswith("#"):
                pending.append((number, re.escape(line.strip()).replace(r"\*", ".*")))
        self.faults += [f"{TABLE}:{where}: nobody is said to run it" for where, _ in pending]

    def wrong(self, kind, rest):
        """What is wrong with who is said to run something."""
        if kind == "none" and rest:
            return
        name, _, text = rest.partition(" ")
        if kind == "long":
            if name not in self.known.targets:
                yield f"there is no make {name}"
            name, _, text = text.partition(" ")
            if "/" not in name:
                return
        elif kind != "run":
            yield f"{kind}: neither run, long nor none"
            return
        if not os.path.isfile(os.path.join(self.known.tree, name)):
            yield f"there is no {name}"
        elif not text or text not in "\n".join(shown.read(self.known.tree, name)):
            yield f"\"{text}\" is not in {name}"
        elif kind == "run" and not self.known.is_run(name):
            yield f"{name} is no part of .ci/run"

    def kind(self, command, where):
        """Who runs it, by the first line that has it."""
        for _, pattern, kind, seen in self.entries:
            if re.fullmatch(pattern, command):
                seen.add(where)
                return kind
        return None

    def idle(self):
        """The lines that nothing is found in."""
        return [f"{TABLE}:{where}: no page shows this, or a line before has it"
                for where, _, _, seen in self.entries if not seen]


def typed(tree):
    """Who types what: of each command those who have it among theirs, as they take them out of the pages."""
    who = {}
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([os.path.join(tree, "selftests/qemu/docs.sh"), place], check=True)
        for path in glob.glob(place + "/docs/**/*.run", recursive=True):
            with open(path, encoding="utf-8") as file:
                who[shown.plain(file.read().replace("\\\n", ""))] = "selftests/docs_test.sh"
    for script in ("selftests/migrate/test.sh", "selftests/docs/test.sh"):
        said = subprocess.run([os.path.join(tree, script), "typed"], check=True, stdout=subprocess.PIPE, text=True)
        for line in said.stdout.splitlines():
            who.setdefault(shown.plain(line), script)
    return who


def commands(text):
    """The commands in a line of shell, one after the other."""
    for part in re.split(r"[;|&()]|\$\(", re.sub(r"'[^']*'|\"[^\"]*\"|\d?>>?\s*\S+", "''", text)):
        words = part.split()
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words and (shown.COMMAND.match(words[0] + " ") or words[0] == "knellctl"):
            yield " ".join(words)


def main():
    """Looks at all, prints what is wrong and how many there were."""
    tree = sys.argv[1]
    known, count, faults = Known(tree), collections.Counter(), []
    table, who = Table(known), typed(tree)
    for page, number, text, kind in shown.all_of(tree):
        by, wrong = None, []
        if kind == "command":
            by = who.get(text) or table.kind(text, (page, number))
            count[by] += 1
        # That may be of another tree.
        if by != "none":
            wrong = [fault for command in commands(text) for fault in known.wrong(command)]
            wrong += known.wrong_lists(text)
        if kind == "nobody's":
            wrong.append("neither a console's block nor \".. not run: WHY\"")
        elif kind == "command":
            if not by:
                wrong.append(f"{text}: no test types it, and {TABLE} does not have it")
        faults += [f"{page}:{number}: {fault}" for fault in wrong]
    faults += table.faults + table.idle()
    print("\n".join(faults + [f"commands: {sum(count.values())} are shown"]))
    for by, number in sorted(count.items(), key=str):
        print(f"commands: {number}: {by}")
    return 1 if faults or not count else 0


sys.exit(main())
