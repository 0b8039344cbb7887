#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks for dead links: of the site's pages to each other, to anchors and pictures; of the tree's
Markdown to its files and headings. Of addresses elsewhere the form is looked at: nobody is asked for them.

usage: links.py SITE TREE
"""

import os
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

ELSEWHERE = re.compile(
    r"https?://([a-z0-9-]+\.)+[a-z]+(:\d+)?(/[\w.~%/+,=&?#:@-]*)?|mailto:[\w.+-]+@[\w.-]+\.[a-z]+"
)


class Page(HTMLParser):
    """A page's links, each with its line, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append((self.getpos()[0], value))


class Markdown:
    """The same of a file in Markdown: no links of a picture's text, none in code."""

    def __init__(self, path):
        self.links, self.anchors, code = [], {""}, False
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                code ^= line.startswith("```")
                if code or line.startswith("    "):
                    continue
                line = re.sub(r"`[^`]*`", "", line)
                self.links += [(number, link) for link in re.findall(r"\]\(([^)\s]+)\)", line)]
                self.links += [(number, link) for link in re.findall(r"^\[[^]]+\]:\s*(\S+)", line)]
                heading = re.match(r"#+ (.*)", line)
                if heading:
                    words = re.sub(r"[^\w\- ]", "", heading[1].strip().lower())
                    self.anchors.add(words.replace(" ", "-"))


def read(path, pages):
    """The page at a path, read once; None if it has no links, as a picture."""
    if path not in pages:
        kind = {".html": Page, ".md": Markdown}.get(os.path.splitext(path)[1])
        pages[path] = kind(path) if kind else None
    return pages[path]


def fault(path, link, pages):
    """What is wrong with a link within the tree, if anything is."""
    parts = urlsplit(link)
    target = path
    if parts.path:
        target = os.path.normpath(os.path.join(os.path.dirname(path), unquote(parts.path)))
    if not os.path.exists(target):
        return "there is no such file"
    page = None if os.path.isdir(target) else read(target, pages)
    if page and unquote(parts.fragment) not in page.anchors:
        return "there is no such place in it"
    return None


def main():
    """Looks at all, prints the dead ones and how many there were."""
    site, tree = sys.argv[1:]
    found = [os.path.join(tree, name) for name in sorted(os.listdir(tree)) if name.endswith(".md")]
    for place, _, names in os.walk(site):
        found += [os.path.join(place, name) for name in sorted(names) if name.endswith(".html")]
    pages, good, dead, elsewhere = {}, 0, 0, set()
    for path in found:
        for line, link in read(path, pages).links:
            if urlsplit(link).scheme or link.startswith("//"):
                elsewhere.add(link)
                why = None if ELSEWHERE.fullmatch(link) else "no address looks like that"
            else:
                why = fault(path, link, pages)
            good += not why
            if why:
                dead += 1
                print(f"{os.path.relpath(path, tree)}:{line}: {link}: {why}")
    print(
        f"links: {len(found)} pages, {good} links are good, {dead} dead; "
        f"{len(elsewhere)} addresses elsewhere have the form of one, nobody was asked for them"
    )
    return 1 if dead or not good else 0


sys.exit(main())
