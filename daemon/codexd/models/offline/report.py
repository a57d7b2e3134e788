"""The artifacts that rules can write: a report in Markdown, or the same as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from codexd.models.interface import Brief, JsonObject
from codexd.models.offline.conversation import SEVERITIES, Seen

TITLES = {"outline": "Outline", "dependencies": "Dependencies"}


def artifact_path(declared: str, agent: str) -> str | None:
    """The file to write for a declared artifact; `None` where a report would be no answer to it.

    One star in a file's name stands for the agent's: `review-comments/*.md`.
    """
    folder, _, name = declared.rpartition("/")
    if "*" in folder or "?" in declared or "[" in declared or name.count("*") > 1:
        return None
    if not name.endswith((".md", ".markdown", ".txt", ".json")):
        return None
    slug = "-".join(re.findall(r"\w+", agent.lower())) or "report"
    return declared.replace("*", slug)


def written_report(
    path: str, brief: Brief, kinds: Sequence[str], seen: Seen, findings: Sequence[JsonObject]
) -> str:
    """The text of the report at `path` about these findings."""
    if path.endswith(".json"):
        return json_report(brief, kinds, seen, findings)
    return markdown_report(path, brief, kinds, seen, findings)


def json_report(
    brief: Brief, kinds: Sequence[str], seen: Seen, findings: Sequence[JsonObject]
) -> str:
    """Everything as one JSON object, a finding a line."""
    head = {
        "agent": brief.agent,
        "goal": brief.goal,
        "model": "offline",
        "rules": list(kinds),
        "files": seen.files,
        "counts": dict(seen.counts),
        **seen.lists,
    }
    fields = [f"  {compact(key)}: {compact(value)}" for key, value in head.items()]
    rows = ",\n".join(f"    {compact(one)}" for one in findings)
    fields.append(f'  "findings": [\n{rows}\n  ]' if rows else '  "findings": []')
    return "{\n" + ",\n".join(fields) + "\n}\n"


def markdown_report(
    path: str, brief: Brief, kinds: Sequence[str], seen: Seen, findings: Sequence[JsonObject]
) -> str:
    """Title, counts, then the findings by file and severity, then the lists."""
    stem = path.rpartition("/")[2].partition(".")[0]
    title = re.sub(r"[-_]+", " ", stem).strip()
    scope = ", ".join(brief.scope) or "the whole workspace"
    rules = f"offline: rules ({', '.join(kinds)}), no language model"
    lines = [
        f"# {title[:1].upper()}{title[1:]}",
        "",
        one_line(brief.goal),
        "",
        f"By `{brief.agent}`, {rules}. {counted(seen.files, 'file')} of {scope}.",
        "",
        *summary_table(seen),
        *(f"- {note}" for note in seen.notes),
        *([""] if seen.notes else []),
    ]
    left = seen.n_findings - len(findings)
    if left > 0:
        lines += [f"The worst {len(findings)} are below; {left} more were found.", ""]
    lists = [
        line
        for name, listed in seen.lists.items()
        for line in (f"## {TITLES.get(name, name)}", "", *list_section(name, listed, seen))
    ]
    found = by_file(findings)
    # An outline is what was wanted of its agent; dependencies only stand beside the findings.
    lines += [*lists, *found] if "outline" in kinds else [*found, *lists]
    return "\n".join(lines).rstrip() + "\n"


def by_file(findings: Sequence[JsonObject]) -> list[str]:
    """A section a file, the file with the worst finding first."""
    files: dict[str, list[JsonObject]] = {}
    for one in findings:
        files.setdefault(str(one["path"]), []).append(one)
    return [
        line for file, ones in files.items() for line in (f"## {file}", "", *file_section(ones))
    ]


def summary_table(seen: Seen) -> list[str]:
    """How many of what."""
    shown = [(severity, seen.counts.get(severity, 0)) for severity in SEVERITIES]
    rows = [f"| {severity} | {number} |" for severity, number in shown if number]
    if not rows:
        return ["No findings.", ""] if not seen.lists else []
    return ["| severity | findings |", "|---|---:|", *rows, ""]


def file_section(findings: Sequence[JsonObject]) -> list[str]:
    """The findings of one file, worst severity first, each by its line."""
    lines: list[str] = []
    for severity in SEVERITIES:
        ones = [one for one in findings if one.get("severity") == severity]
        if ones:
            lines += [f"**{severity}**", "", *(finding_line(one) for one in ones), ""]
    return lines


def finding_line(one: JsonObject) -> str:
    """One finding, and what would mend it."""
    rule = f" ({one['rule']})" if one.get("rule") else ""
    fix = f" Fix: {one_line(one['fix']['title'])}." if one.get("fix") else ""
    return f"- {one['line']}:{one.get('column', 1)} {one_line(str(one['message']))}{rule}{fix}"


def list_section(name: str, listed: dict[str, list[str]], seen: Seen) -> list[str]:
    """An outline or a list of dependencies, by file: `LINE TEXT`."""
    lines: list[str] = []
    for path, entries in listed.items():
        lines += [f"### {path}", "", *(f"- {one_line(entry)}" for entry in entries), ""]
    left = seen.counts.get(name, 0) - sum(len(entries) for entries in listed.values())
    return [*lines, f"{left} more are not listed.", ""] if left > 0 else lines


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def one_line(text: str) -> str:
    """Text from elsewhere in one line of ours."""
    return " ".join(text.split())


def compact(value: object) -> str:
    """JSON without blanks; the same value is always the same bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
