"""Checks the links between the pages, and to their headings: check_links.py PAGE…"""

import re
import sys
from pathlib import Path

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def prose(page):
    return FENCE.sub("", page.read_text())


def anchor(heading):
    """A heading's anchor, as GitHub makes it."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def broken(page, link):
    """Why a link of a page leads nowhere; None where it leads somewhere, or to another site."""
    if re.match(r"[a-z]+:", link):
        return None
    path, _, heading = link.partition("#")
    target = (page.parent / path) if path else page
    if not target.exists():
        return f"there is no {path}"
    if heading and heading not in map(anchor, HEADING.findall(prose(target))):
        return f"{target.name} has no heading #{heading}"
    return None


complaints = []
for page in map(Path, sys.argv[1:]):
    for link in LINK.findall(prose(page)):
        if reason := broken(page, link):
            complaints.append(f"{page}: {link}: {reason}")
sys.exit("\n".join(complaints) or None)
