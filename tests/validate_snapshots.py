"""Passes every message and view of the snapshot tests through the models of Slack's own Python SDK,
which know Block Kit's limits: https://docs.slack.dev/tools/python-slack-sdk. A snapshot that no test makes is
a problem, too."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View


def problem(snapshot: dict) -> str | None:
    try:
        if snapshot.get("type") in ("modal", "home"):
            again = View(**snapshot).to_dict()
        else:
            again = {**snapshot, "blocks": [Block.parse(block).to_dict() for block in snapshot["blocks"]]}
            if not 0 < len(snapshot["text"]) <= 4000 or len(snapshot["blocks"]) > 50:
                return "no text, too much of it, or more than 50 blocks"
    except (SlackObjectFormationError, AttributeError, KeyError, TypeError) as error:
        return repr(error)
    return None if again == snapshot else f"the SDK reads it as {json.dumps(again)}"


def unreferenced(path: Path, header: str) -> str | None:
    """A snapshot has its test's name, and a number behind it from the second of a test on."""
    test, number = re.fullmatch(r".*__tests__(.+?)(?:-(\d+))?", path.stem).groups()
    source = Path(re.search(r"^source: (.+)$", header, re.MULTILINE)[1]).read_text()
    _, found, body = source.partition(f"fn {test}(")
    made = body.partition("#[test]")[0].count("_snapshot!(")
    return None if found and made >= int(number or 1) else "no test makes it"


def main(folder: str) -> None:
    snapshots = sorted(Path(folder).rglob("*.snap"))
    problems = {}
    for path in snapshots:
        _, header, body = path.read_text().split("---\n", 2)
        if found := unreferenced(path, header) or problem(json.loads(body)):
            problems[path.name] = found
    for name, found in problems.items():
        print(f"{name}: {found}", file=sys.stderr)
    if problems or not snapshots:
        sys.exit(f"{len(problems)} of {len(snapshots)} snapshots are not what Slack takes")
    print(f"{len(snapshots)} snapshots are valid Block Kit")


if __name__ == "__main__":
    main(sys.argv[1])
