# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of figures, as SVG that is text and is read in the light and in the dark."""

import math
from xml.sax.saxutils import escape

from results import number

WIDTH = 760
LEFT = 190
RIGHT = 70
ROW = 22
STYLE = '''<style>
text { font: 12px sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: bold }
.ours { font-weight: bold }
.grid { stroke: #d0d7de }
.c0 { fill: #0969da; stroke: #0969da } .c1 { fill: #bc4c00; stroke: #bc4c00 }
.c2 { fill: #1a7f37; stroke: #1a7f37 } .c3 { fill: #8250df; stroke: #8250df }
.c4 { fill: #9a6700; stroke: #9a6700 } .c5 { fill: #6e7781; stroke: #6e7781 }
text.c0, text.c1, text.c2, text.c3, text.c4, text.c5 { stroke: none }
polyline { fill: none !important; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .grid { stroke: #3d444d }
.c0 { fill: #4493f8; stroke: #4493f8 } .c1 { fill: #f0883e; stroke: #f0883e }
.c2 { fill: #3fb950; stroke: #3fb950 } .c3 { fill: #ab7df8; stroke: #ab7df8 }
.c4 { fill: #d29922; stroke: #d29922 } .c5 { fill: #9198a1; stroke: #9198a1 }
}
</style>'''


def head(title, height):
    """The file's beginning."""
    return ['<!-- SPDX-License-Identifier: GPL-2.0-only -->',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">',
            f'<title>{escape(title)}</title>', STYLE,
            f'<text x="10" y="20" class="title">{escape(title)}</text>']


def text_at(x, y, text, anchor='start', css=''):
    """A text."""
    css = f' class="{css}"' if css else ''
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{escape(text)}</text>'


def line(x1, y1, x2, y2):
    """A line of the grid."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="grid"/>'


def mark(shape, x, y):
    """A mark of a series: each has a colour and a shape."""
    css = f'class="c{shape}"'
    if shape == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {css}/>'
    if shape == 1:
        return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" {css}/>'
    return (f'<polygon points="{x:.1f},{y - 6:.1f} {x - 5.5:.1f},{y + 4:.1f} '
            f'{x + 5.5:.1f},{y + 4:.1f}" {css}/>')


def decades(values):
    """The powers of ten around them."""
    least, most = min(values), max(values)
    return math.floor(math.log10(least)), max(math.ceil(math.log10(most)),
                                              math.floor(math.log10(least)) + 1)


def tick(power):
    """A power of ten as the axis has it."""
    return f'{10 ** power:,}' if power >= 0 else f'{10.0 ** power:g}'


def dots(title, rows, series, ours):
    """A row for each way, a mark in it for each series, on an axis of powers of ten.

    @series is [(name, {way: value})]; what is not above nothing has no place on it.
    """
    values = [v for _, s in series for v in s.values() if v > 0]
    first, last = decades(values)
    top, height = 50, 50 + ROW * len(rows) + 34
    scale = (WIDTH - LEFT - RIGHT) / (last - first)

    def x_of(value):
        return LEFT + scale * (math.log10(value) - first)

    out, x = head(title, height), LEFT
    for shape, (name, _) in enumerate(series):
        out += [mark(shape, x, 36), text_at(x + 10, 40, name)]
        x += 30 + 7 * len(name)
    for power in range(first, last + 1):
        x = x_of(10.0 ** power)
        out += [line(x, top, x, height - 30), text_at(x, height - 14, tick(power), 'middle')]
    for i, way in enumerate(rows):
        y = top + ROW * i + ROW / 2
        out += [line(LEFT, y, WIDTH - RIGHT, y),
                text_at(LEFT - 10, y + 4, way, 'end', 'ours' if way in ours else '')]
        for shape in reversed(range(len(series))):
            value = series[shape][1].get(way, 0)
            if value > 0:
                out.append(mark(shape, x_of(value), y))
    return '\n'.join(out + ['</svg>', ''])


def bars(title, values, ours):
    """A bar for each way, from nothing on, and its value."""
    top, height = 34, 34 + ROW * len(values) + 12
    scale = (WIDTH - LEFT - RIGHT) / max(values.values())
    out = head(title, height)
    for i, (way, value) in enumerate(values.items()):
        y = top + ROW * i
        width = max(value * scale, 1)
        css = 'c0' if way in ours else 'c5'
        out += [text_at(LEFT - 10, y + 15, way, 'end', 'ours' if way in ours else ''),
                f'<rect x="{LEFT}" y="{y + 3}" width="{width:.1f}" height="{ROW - 6}" class="{css}"/>',
                text_at(LEFT + width + 6, y + 15, number(value))]
    return '\n'.join(out + ['</svg>', ''])


def lines(title, axis, curves):
    """Curves over a size, both axes of powers of ten; @curves is {name: {size: value}}."""
    top, bottom, left, right = 40, 330, 70, 590
    first, last = decades([n for c in curves.values() for n in c])
    low, high = decades([v for c in curves.values() for v in c.values() if v > 0])

    def x_of(size):
        return left + (right - left) * (math.log10(size) - first) / (last - first)

    def y_of(value):
        return bottom - (bottom - top) * (math.log10(value) - low) / (high - low)

    out = head(title, bottom + 45)
    for power in range(first, last + 1):
        x = x_of(10 ** power)
        out += [line(x, top, x, bottom), text_at(x, bottom + 18, tick(power), 'middle')]
    for power in range(low, high + 1):
        y = y_of(10.0 ** power)
        out += [line(left, y, right, y), text_at(left - 8, y + 4, tick(power), 'end')]
    out.append(text_at((left + right) / 2, bottom + 38, axis, 'middle'))
    ends, below = [], 0
    for i, (name, curve) in enumerate(curves.items()):
        points = ' '.join(f'{x_of(n):.1f},{y_of(v):.1f}' for n, v in sorted(curve.items()))
        out.append(f'<polyline points="{points}" class="c{i % 6}"/>')
        ends.append((y_of(curve[max(curve)]), name, f'c{i % 6}'))
    for y, name, css in sorted(ends):
        below = max(y, below + 14)
        out.append(text_at(right + 8, below + 4, name, css=css))
    return '\n'.join(out + ['</svg>', ''])
