#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes Documentation/benchmarks.rst, its pictures and README.md's figures of results.csv.

usage: generate.py			writes them
       generate.py --check		fails if one is not what it would write
       generate.py --collect LOG...	results.csv, of the logs of "make bench", on stdout
"""

import os
import re
import sys

import plot
from results import Results, collect, number, write_if_new
from sections import COST_PROGRAMS, COSTS, CURVES, SCALE, SECTIONS, Costs, Picture, Table

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
STOCK = 'stock'
KERNELS = ('stock', '6.12', '7.3')                  # as in selftests/bench/whole.sh,
AT_THE_QUEUE = ('exits', 'fd', 'kill', 'children')  # and what it runs on all of them

INTRO = '''
``make bench`` has measured all of this, side by side, and written this page; nothing in it is typed by
hand. ``Documentation/benchmarks/results.csv`` has the figures, ``Documentation/benchmarks/generate.py`` makes the page
and the pictures of them, and ``make lint`` fails if they differ.

The guest's clock counts instructions (QEMU's ``-icount shift=0``, one CPU): where it says instructions they are
counted, the kernel's included, and come out the same on any machine, however busy. They are neither cycles nor time:
no cache, no contention, no second CPU. They compare ways to do the same thing; they are no benchmark of your machine.
Less is better unless it says otherwise. What could not be run is said to be so.
'''

LOSES = '''
Each row in which a peer is better than knell, in the order of the tables below: {lost} of {held} comparisons. knell is
the module's plain way, libknell on the module, and knelld with it; what a table has of knell in another manner is
neither a peer nor held beside one unless it is named here, but ``knelld_pidfd``, knelld without the module, is. A
``baseline`` does not do what the others do.
'''


def heading(text, mark):
    """A heading of the page."""
    return ['', text, mark * len(text), '']


def grid(rows, numbers=True):
    """A table of reStructuredText, its first row the heading; all but the first column to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rule = '  '.join('=' * w for w in widths)

    def one(row):
        cells = [cell.ljust(w) if not i or not numbers else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(row, widths))]
        return '  '.join(cells).rstrip()

    return [rule, one(rows[0]), rule] + [one(row) for row in rows[1:]] + [rule, '']


def kernel_name(results, kernel):
    """What boots, or that it is no guest."""
    if kernel == 'host':
        return 'on the machine that ran it'
    release = results.about(kernel, 'kernel').split(',')[0]
    return f'Linux {release}' if release else f'Linux {kernel}'


def wanted_kernels(results):
    """Those that were booted, and those that should have been."""
    return list(dict.fromkeys([*results.kernels(), *KERNELS]))


class Losses:
    """Which peers are better than knell, as the tables are made."""

    def __init__(self):
        self.held, self.rows = 0, []

    def compare(self, where, what, table, figure, ways):
        """One figure of one table on one kernel."""
        for way, value in ways.items():
            beside = table.pairs.get(way, table.ours)
            skip = way in (table.ours, *table.also_ours, *table.no_peers)
            if skip or beside not in ways:
                continue
            ours = ways[beside]
            self.held += 1
            better = value > ours if figure in table.more_is_better else value < ours
            if better:
                self.rows.append((where, what, way, value, beside, ours))

    def show(self):
        """The section."""
        out = heading('Where knell loses', '=')
        out.append(LOSES.format(lost=len(self.rows), held=self.held).strip() + '\n')
        rows = [('where', 'what', 'who', 'theirs', 'of knell', "knell's", 'times')]
        for where, what, way, value, beside, ours in self.rows:
            times = f'{ours / value:.2f}' if value else '-'
            rows.append((where, what, way, number(value), beside, number(ours), times))
        return out + (grid(rows, numbers=False) if self.rows else ['Nowhere.', ''])


def draw_table(results, section, table, losses):
    """For each kernel that has its figures, those; which ways there are is as they ran."""
    out = []
    for kernel in results.kernels_of(section.program):
        columns = [(results.ways(kernel, section.program, f), f, h) for f, h in table.columns]
        missing = [h for ways, _, h in columns if not ways]
        columns = [c for c in columns if c[0]]
        if not columns:
            continue
        name = kernel_name(results, kernel)
        what = f', {table.caption}' if table.caption else ''
        out += [f'{name}{what}:', '']
        ways = dict.fromkeys(w for c in columns for w in c[0])
        rows = [('', *(h for _, _, h in columns))]
        for way in ways:
            rows.append((way, *(number(c[0][way]) if way in c[0] else '-' for c in columns)))
        out += grid(rows)
        if missing:
            out += [f'Not run here: {"; ".join(missing)}.', '']
        where = f'{section.title}, {name}{what}'
        for values, figure, title in columns:
            losses.compare(where, title, table, figure, values)
    return out


def draw_missing(results, program):
    """Ways that a kernel does not have, or supervisors that are not there; and where none has run."""
    rows = results.of_kind('missing', program=program)
    out = [f'Not run: {r["way"]} on {kernel_name(results, r["kernel"])}: {r["value"]}.' + '\n' for r in rows]
    if program in AT_THE_QUEUE:
        out += [f'Not run: on {kernel_name(results, kernel)}.\n' for kernel in wanted_kernels(results)
                if kernel not in results.kernels_of(program)]
    return out


def draw_costs(results, program, costs):
    """Figures that have no peers, for each kernel."""
    kernels = [k for k in results.kernels_of(program) if k != 'host' and
               any(results.ways(k, program, n).get(w) is not None for n, w, _ in costs.rows)]
    if not kernels:
        return []
    rows = [('', *(kernel_name(results, k) for k in kernels))]
    for name, way, text in costs.rows:
        values = [results.ways(k, program, name).get(way) for k in kernels]
        rows.append((text, *(number(v) for v in values)))
    return grid(rows)


class Pictures:
    """The pictures, by the names of their files."""

    def __init__(self, results):
        self.results, self.files = results, {}

    def series(self, section, picture):
        """[(name, {way: value})]: of kernels, or of figures on the stock one."""
        keep = []
        kernels = [k for k in self.results.kernels_of(section.program) if k != 'host']
        if picture.kind == 'kernels':
            which = [(k, picture.figures[0][0], kernel_name(self.results, k)) for k in kernels]
        else:
            which = [(STOCK, f, h) for f, h in picture.figures]
        for kernel, figure, name in which:
            ways = self.results.ways(kernel, section.program, figure)
            ways = {w: v for w, v in ways.items() if w not in picture.leave_out}
            if ways:
                keep.append((name, ways))
        return keep

    def add(self, section, picture):
        """Draws it; what the page has of it."""
        series = self.series(section, picture)
        if not series:
            return []
        if picture.kind == 'bars':
            text = plot.bars(picture.title, series[0][1], picture.ours)
        else:
            rows = list(dict.fromkeys(w for _, s in series for w in s))
            text = plot.dots(picture.title, rows, series, picture.ours)
        return self.keep(picture.name, picture.title, text)

    def keep(self, name, title, text):
        """What the page has of a picture."""
        self.files[name + '.svg'] = text
        return [f'.. image:: benchmarks/{name}.svg', f'   :alt: {title}', '']


def draw_section(results, section, losses, pictures):
    """A section of the page."""
    out = heading(section.title, '=') + [section.text.strip(), '']
    if not results.kernels_of(section.program):
        return out + ['**Not run.**', '']
    for part in section.parts:
        if isinstance(part, Table):
            out += draw_table(results, section, part, losses)
        elif isinstance(part, Picture):
            out += pictures.add(section, part)
        elif isinstance(part, Costs):
            out += draw_costs(results, section.program, part)
    return out + draw_missing(results, section.program)


def draw_scale(results, pictures):
    """What many timers in a queue cost: a table and curves."""
    out = heading('Many timers in a queue', '=') + [SCALE.strip(), '']
    curves = {}
    for name, title in CURVES.items():
        for figure in results.figures(STOCK, 'scale'):
            match = re.fullmatch(name + '_([0-9]+)', figure)
            if match:
                value = results.ways(STOCK, 'scale', figure)['knell']
                curves.setdefault(title, {})[int(match[1])] = value
    if not curves:
        return out + ['**Not run.**', '']
    title = 'Instructions, over timers in the queue'
    out += pictures.keep('scale', title, plot.lines(title, 'timers in the queue', curves))
    sizes = sorted({n for c in curves.values() for n in c})
    rows = [('timers', *(f'{n:,}' for n in sizes))]
    rows += [(name, *(number(c.get(n)) for n in sizes)) for name, c in curves.items()]
    return out + grid(rows)


def draw_rest(results, losses):
    """Programs that no section is for, as they come: ways beneath each other."""
    known = {s.program for s in SECTIONS} | {p for p, _ in COST_PROGRAMS} | {'scale'}
    out = []
    for program in results.programs():
        if program in known:
            continue
        out += heading(f'Of the program {program}', '=')
        out += ['Its head, in ``selftests/bench``, tells what it measures.', '']
        for kernel in results.kernels_of(program):
            for figure in dict.fromkeys(results.figures(kernel, program)):
                ways = results.ways(kernel, program, figure)
                out += grid([(kernel_name(results, kernel), figure)] +
                            [(w, number(v)) for w, v in ways.items()])
                ours = next((w for w in ways if w.startswith('knell')), '')
                also = tuple(w for w in ways if w.startswith('knell'))
                losses.compare(f'{program}, {kernel_name(results, kernel)}', figure,
                               Table([], ours=ours, also_ours=also), figure, ways)
        out += draw_missing(results, program)
    return out


def draw_about(results):
    """What has run where, and who the peers were."""
    out = heading('What ran', '=')
    rows = [('kernel', 'on', 'commit', 'CPU of the guest')]
    for kernel in wanted_kernels(results):
        missing = results.of_kind('missing', kernel=kernel, way='kernel')
        said = results.about(kernel, 'kernel')
        release, _, cpu = said.partition(', ')
        rows.append((release or kernel, results.about(kernel, 'date'), results.about(kernel, 'commit'),
                     f'not run: {missing[0]["value"]}' if missing else cpu or 'not run'))
    out += grid(rows, numbers=False)
    first = results.kernels()[0]
    out += [f'Emulated by {results.about(first, "emulator")}, on a machine with {results.about(first, "host")}; '
            f'compiled by {results.about(first, "compiler")}. Supervisors, loops and costs without a kernel\'s name '
            'are of the first one.', '']
    # Whoever has not run all of it by one command says so in the log: "# note ...".
    for row in results.of_kind('about', name='note'):
        out += [f'{kernel_name(results, row["kernel"])}: {row["value"]}.', '']
    loops = {w for p in ('children', 'timers') for k in results.kernels() + ['host']
             for f in results.figures(k, p) for w in results.ways(k, p, f)}
    rows = [('peer', 'version, and how it runs')]
    for way in sorted(loops):
        match = re.fullmatch('(.+?)-([0-9].*)', way)
        if match:
            rows.append((match[1], f'{match[2]}, as it says itself'))
    for row in results.of_kind('peer'):
        rows.append((row['name'], row['value'].replace('; ', ', ')))
    return out + (grid(rows, numbers=False) if len(rows) > 1 else [])


def draw_bounds(results):
    """What the programs hold knell to."""
    bounds = results.of_kind('bound')
    out = heading('Bounds', '=')
    met = sum(r['way'] == 'met' for r in bounds)
    out += [f'The programs hold knell to bounds, which are made for the first kernel: {met} of {len(bounds)} were met.',
            '']
    rows = [('where', 'missed', 'found', 'bound')]
    rows += [(kernel_name(results, r['kernel']), f'{r["program"]}: {r["name"]}', r['value'], r['unit'])
             for r in bounds if r['way'] != 'met']
    return out + (grid(rows, numbers=False) if len(rows) > 1 else [])


def draw_page(results, pictures):
    """The page."""
    losses, body = Losses(), []
    for section in SECTIONS:
        body += draw_section(results, section, losses, pictures)
    body += draw_rest(results, losses)
    body += draw_scale(results, pictures)
    body += heading('Costs of parts', '=') + [COSTS.strip(), '']
    for program, costs in COST_PROGRAMS:
        body += draw_costs(results, program, costs) or [f'{program}: **not run.**', '']
    out = ['.. SPDX-License-Identifier: GPL-2.0-only',
           '.. Made by Documentation/benchmarks/generate.py: to be changed there.', '',
           '==========', 'Benchmarks', '==========', '', INTRO.strip(), '',
           '.. contents::', '   :local:', '   :depth: 1', '']
    out += draw_about(results) + losses.show() + body + draw_bounds(results)
    text = '\n'.join(out)
    return re.sub('\n{3,}', '\n\n', text).rstrip('\n') + '\n'


def fill(text, results):
    """{[KERNEL:]FIGURE WAY[ / WAY][, k]}: a figure, of the stock kernel; k: thousands; less, by another way's."""
    def one(match):
        spec, _, unit = match[1].partition(', ')
        kernel, _, spec = spec.rpartition(':')
        figure, way, *over = spec.split()
        value = results.find(kernel or STOCK, figure, way)
        if value is not None and over:
            base = results.find(kernel or STOCK, figure, over[1])
            return f'{value / base:.3f}' if base else 'not run'
        return number(value / 1000 if unit == 'k' and value is not None else value)
    return re.sub('{([^}]*)}', one, text)


def draw_readme(results, readme):
    """README.md with its blocks as readme.in has them, figures put in."""
    with open(os.path.join(HERE, 'readme.in'), encoding='utf-8') as f:
        parts = re.split(r'^%% (\w+)\n', f.read(), flags=re.M)
    for name, text in zip(parts[1::2], parts[2::2]):
        begin, end = f'<!-- benchmarks: {name} -->\n', '<!-- benchmarks: end -->'
        pattern = re.compile(re.escape(begin) + '.*?' + re.escape(end), re.S)
        if len(pattern.findall(readme)) != 1:
            sys.exit(f'README.md: expected one {begin.strip()} up to {end}')
        block = begin + fill(text, results).strip('\n') + '\n' + end
        readme = pattern.sub(lambda _, block=block: block, readme)
    return readme


def main(args):
    """See the head of this file."""
    if args[:1] == ['--collect']:
        collect(args[1:], sys.stdout)
        return 0
    if args not in ([], ['--check']):
        sys.exit(__doc__.split('\n\n', 1)[1].strip())
    results = Results(os.path.join(HERE, 'results.csv'))
    pictures = Pictures(results)
    files = {os.path.join(TOP, 'Documentation/benchmarks.rst'): draw_page(results, pictures)}
    for name, text in pictures.files.items():
        files[os.path.join(HERE, name)] = text
    readme = os.path.join(TOP, 'README.md')
    with open(readme, encoding='utf-8') as f:
        files[readme] = draw_readme(results, f.read())
    same = [write_if_new(path, text, bool(args)) for path, text in files.items()]
    for name in sorted(os.listdir(HERE)):
        if name.endswith('.svg') and name not in pictures.files:
            print(f'{HERE}/{name}: nobody draws it', file=sys.stderr)
            same.append(False)
    return 0 if not args or all(same) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
