# SPDX-License-Identifier: GPL-2.0-only
"""What "make bench" has found: from its logs to results.csv, and from there to whoever asks."""

import csv
import os
import re
import sys

FIELDS = ('kernel', 'program', 'kind', 'name', 'way', 'value', 'unit')
LICENCE = '# SPDX-License-Identifier: GPL-2.0-only\n'
ABOUT = ('date', 'commit', 'host', 'emulator', 'compiler', 'kernel', 'note')
HERE = ', on this machine'


def line_of_program(text):
    """(program, on this machine) if the log says that a program begins."""
    here = text.endswith(HERE)
    name = text[2:-len(HERE)] if here else text[2:]
    return (name, here) if re.fullmatch('[a-z_]+', name) else None


def row_of(text):
    """(kind, name, way, value, unit) of a line of a log, or None."""
    word = text.split()
    if text.startswith('BENCH ') and len(word) in (4, 5):
        return ('figure', word[1], word[2], word[3], word[4] if len(word) == 5 else '')
    match = re.fullmatch(r'BOUND (met|MISSED) (.*): ([-0-9.]+), (at (?:most|least) [-0-9.]+)', text)
    if match:
        return ('bound', match[2], match[1], match[3], match[4])
    match = re.fullmatch(r'NOT RUN ([\w.-]+): (.*)', text)
    if match:
        return ('missing', '', match[1], match[2], '')
    match = re.fullmatch(r'# ([a-z0-9_]+): (.*; .*)', text)
    if match and 'private KiB' not in text:
        return ('peer', match[1], '', match[2], '')
    return None


def collect_log(path):
    """The rows of a log; of what is there twice the last one counts, as with two CPUs."""
    kernel = os.path.basename(path).removesuffix('.log')
    rows, program, here = {}, '', False
    with open(path, encoding='utf-8', errors='replace') as f:
        for text in f.read().splitlines():
            match = re.fullmatch('# (' + '|'.join(ABOUT) + ') (.*)', text)
            if match:
                rows.setdefault((kernel, '', 'about', match[1], ''), (match[2], ''))
                continue
            begins = line_of_program(text) if text.startswith('# ') else None
            if begins:
                program, here = begins
                continue
            row = row_of(text)
            if row:
                where, again = ('host' if here else kernel, program), 1
                key = where + row[:3]
                # Bounds of two sizes have the same words.
                while row[0] == 'bound' and key in rows:
                    again += 1
                    key = where + (row[0], f'{row[1]} ({again})', row[2])
                rows.pop(key, None)
                rows[key] = row[3:]
    return [key + value for key, value in rows.items()]


def collect(paths, out):
    """The stock kernel's come first."""
    rows = []
    for path in sorted(paths, key=lambda p: os.path.basename(p) != 'stock.log'):
        rows += collect_log(path)
    out.write(LICENCE)
    table = csv.writer(out, lineterminator='\n')
    table.writerow(FIELDS)
    table.writerows(rows)


class Results:
    """The rows of a results.csv."""

    def __init__(self, path):
        with open(path, encoding='utf-8', newline='') as f:
            lines = [line for line in f if not line.startswith('#')]
        self.rows = list(csv.DictReader(lines))
        self.value = {}
        for row in self.rows:
            if row['kind'] == 'figure':
                key = (row['kernel'], row['program'], row['name'])
                self.value.setdefault(key, {})[row['way']] = float(row['value'])

    def kernels(self):
        """All that were booted, or should have been."""
        return list(dict.fromkeys(r['kernel'] for r in self.rows if r['kernel'] != 'host'))

    def kernels_of(self, program):
        """Those, and this machine, on which it has run."""
        return list(dict.fromkeys(k for k, p, _ in self.value if p == program))

    def of_kind(self, kind, **wanted):
        """The rows of a kind, those with these fields."""
        return [r for r in self.rows
                if r['kind'] == kind and all(r[k] == v for k, v in wanted.items())]

    def about(self, kernel, name):
        """What the log says of a run: its date, for instance."""
        rows = self.of_kind('about', kernel=kernel, name=name)
        return rows[0]['value'] if rows else ''

    def ways(self, kernel, program, figure):
        """{way: value}, in the order in which they ran."""
        return self.value.get((kernel, program, figure), {})

    def programs(self):
        """All that have figures."""
        return list(dict.fromkeys(p for _, p, _ in self.value))

    def figures(self, kernel, program):
        """The names of a program's figures."""
        return [n for k, p, n in self.value if (k, p) == (kernel, program)]

    def find(self, kernel, figure, way):
        """A figure by the way's name without a version; of several ways the cheapest."""
        for (k, _, name), ways in self.value.items():
            if (k, name) != (kernel, figure):
                continue
            if way in ways:
                return ways[way]
            like = [v for w, v in ways.items() if re.match(re.escape(way) + '-[0-9]', w)]
            if like:
                return min(like)
        return None


def number(value):
    """As people write it."""
    if value is None:
        return 'not run'
    size = abs(value)
    if size >= 100 or value == int(value):
        return f'{value:,.0f}'
    if size >= 10:
        return f'{value:.1f}'
    if size >= 1:
        return f'{value:.2f}'
    return f'{value:.3f}' if size >= 0.01 else f'{value:.4f}'


def write_if_new(path, text, check):
    """Writes, or with @check compares; True if it was the same."""
    try:
        with open(path, encoding='utf-8') as f:
            same = f.read() == text
    except FileNotFoundError:
        same = False
    if not same and check:
        print(f'{path}: not what generate.py makes of results.csv', file=sys.stderr)
    elif not same:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
    return same
