# SPDX-License-Identifier: GPL-2.0-only
"""What Sphinx is told; build.sh has put together what it reads."""

import logging
import os
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

project = "knell"
author = "the authors of knell"
copyright = author
version = release = os.environ["KNELL_VERSION"]

exclude_patterns = ["generated", "examples", "devicetree", "site"]
primary_domain = "c"
highlight_language = "none"
smartquotes = False

# What is named has a page to be found on, but for what is the C library's.
nitpicky = True
nitpick_ignore = [
    ("c:identifier", name)
    for name in "FILE bool clockid_t int64_t pid_t siginfo_t size_t ssize_t uint8_t uint32_t uint64_t".split()
]

html_theme = "alabaster"
html_title = f"knell {release}"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_theme_options = {
    "description": "One queue for everything a process manager waits for",
    "show_powered_by": False,
    "fixed_sidebar": True,
    "page_width": "70em",
    "sidebar_width": "17em",
    "font_family": "sans-serif",
    "head_font_family": "sans-serif",
}

# In the index a pattern stands for a group of pages, and a group may be empty.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: "glob pattern" not in str(record.msg)
)


class Pages(SphinxTransform):
    """Where a text names another page, as ``knell(4)`` or ``Documentation/NAME.rst``, is a link to it."""

    default_priority = 400

    def page(self, text):
        """The page that a text names, if it names one."""
        manual = re.fullmatch(r"([a-z.]+)\((\d)\)", text)
        if manual:
            return f"man/{manual[1]}.{manual[2]}"
        rst = re.fullmatch(r"Documentation/(\S+)\.rst", text)
        return rst[1] if rst else None

    def apply(self, **kwargs):
        for node in list(self.document.findall(nodes.literal)):
            page = self.page(node.astext())
            if page not in self.env.found_docs or page == self.env.docname:
                continue
            if isinstance(node.parent, nodes.reference):
                continue
            node.replace_self(
                addnodes.pending_xref(
                    "",
                    node.deepcopy(),
                    refdoc=self.env.docname,
                    refdomain="std",
                    reftype="doc",
                    refexplicit=True,
                    refwarn=True,
                    reftarget="/" + page,
                )
            )


def setup(app):
    app.add_transform(Pages)
    return {"parallel_read_safe": True}
