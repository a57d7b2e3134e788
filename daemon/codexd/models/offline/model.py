"""`offline`: rules behind the interface of a model. It reads, reports, writes, and says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codexd.errors import ModelFault, NeedsModel
from codexd.models.interface import (
    Answer,
    JsonObject,
    OnText,
    Request,
    Stop,
    ToolCall,
    ToolReply,
    ToolSchema,
    Usage,
)
from codexd.models.offline.conversation import LISTS, SEVERITIES, Seen, read
from codexd.models.offline.criteria import judged
from codexd.models.offline.report import artifact_path, compact, counted, written_report
from codexd.models.offline.rules import HELP, kinds_for

MOST = {"findings": 40, "outline": 100, "dependencies": 100}
"""How much of each is read and reported in one run, worst first: people read no more."""

FIRST_PAGE = 3
"""Entries of the first page; each next one is twice as long. So a small budget keeps some."""


@dataclass(frozen=True, slots=True)
class Offline:
    """Rules, no language model. Deterministic: the same request has the same answer, byte by byte.

    It keeps nothing: what it does next follows from the items of the conversation.
    """

    name: str = "offline"
    host: str = ""
    caps_output: bool = True
    reports_usage: bool = True
    exact: bool = True
    window: int | None = None

    def wanted_output(self, request: Request) -> int:
        """Exactly the tokens of the answer that an uncapped request gets."""
        try:
            return output_tokens(answer(request, None))
        except (NeedsModel, ModelFault):
            return 0

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        """Exactly the tokens that the answer will count as input; `settled` is not needed."""
        del settled
        return input_tokens(request)

    async def count_input(self, request: Request) -> int | None:
        """The same as the bound, which is exact."""
        return input_tokens(request)

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        """The answer, made to fit `max_output` by leaving out whole findings, never by cutting.

        Raises `NeedsModel` where rules cannot serve, `ModelFault` where the analysis failed.
        """
        given = answer(request, request.max_output)
        if given.text:
            on_text(given.text)
        usage = Usage(input=input_tokens(request), output=output_tokens(given))
        return replace(given, usage=usage)


def tokens(*texts: str) -> int:
    """One token for each 4 UTF-8 bytes, rounded up."""
    return -(-sum(len(text.encode("utf-8", "replace")) for text in texts) // 4)


def input_tokens(request: Request) -> int:
    """The goal, at the first call; later the tool results that came since the last answer."""
    new: list[str] = []
    for item in reversed(request.items):
        if isinstance(item, Answer):
            return tokens(*new)
        if isinstance(item, ToolReply):
            new.append(item.text)
    return tokens(request.brief.goal, *new)


def output_tokens(given: Answer) -> int:
    """The text, and the names and arguments of the calls."""
    return tokens(
        given.text, *(text for call in given.calls for text in (call.name, call.arguments))
    )


def answer(request: Request, cap: int | None) -> Answer:
    """What comes next, of at most `cap` tokens, without its usage."""
    kinds = kinds_for(request.brief)
    tools = {tool.name: tool for tool in request.tools}
    if "analyze" not in tools:
        raise NeedsModel(
            f"`{request.brief.agent}` needs a language model: rules work through the tool "
            "`analyze`, which it may not use",
            help="add `analyze` to its tools",
        )
    seen = read(request.items)
    if not seen.n_pages and seen.fault:
        raise ModelFault(f"the analysis failed: {seen.fault}")
    if seen.n_pages and not seen.files:
        raise ModelFault(
            f"nothing was analysed by rules ({', '.join(kinds)}): there is no file that they read "
            "in the scope",
            help="name another scope",
        )
    if seen.n_pages and looked_at_nothing(kinds, seen):
        raise NeedsModel(
            f"`{request.brief.agent}` needs a language model here: {seen.notes[-1]}", help=HELP
        )
    for calls in next_calls(request, tools, kinds, seen):
        given = Answer("", numbered(calls, seen), stop=Stop.TOOL_CALLS, model="offline")
        if cap is None or output_tokens(given) <= cap:
            return given
    return last_answer(request, tools, kinds, seen, cap)


def looked_at_nothing(kinds: Sequence[str], seen: Seen) -> bool:
    """Whether all files are in languages that the rules of these kinds do not read."""
    passed_over = seen.unread == seen.files and not set(kinds) - _READ_ONE_LANGUAGE
    return passed_over and not any(seen.counts.values())


_READ_ONE_LANGUAGE = {"lint", "security", "docstrings", "dependencies"}
"""Kinds that look into Python alone, and into manifests, whose packages would be counted."""


Call = tuple[str, Mapping[str, object]]
"""A tool's name and its arguments."""


def numbered(calls: Sequence[Call], seen: Seen) -> tuple[ToolCall, ...]:
    """The calls with ids that no other call of the conversation has."""
    return tuple(
        ToolCall(f"offline-{seen.next_call + n}", name, compact(arguments))
        for n, (name, arguments) in enumerate(calls)
    )


def next_calls(
    request: Request, tools: Mapping[str, ToolSchema], kinds: Sequence[str], seen: Seen
) -> Iterator[list[Call]]:
    """What to ask for next, longest first; nothing where all is done and the end is due."""
    begun = any(isinstance(item, Answer) for item in request.items)
    page = None if request.lightweight and begun else next_page(request, kinds, seen)
    ahead = [page] if page else []
    room = MOST["findings"] - len(seen.reported_findings)
    unreported = seen.unreported[: max(room, 0)] if "report_finding" in tools else []
    if unreported:
        yield [*report(unreported, tools["report_finding"]), *ahead]
        for n in range(len(unreported), 0, -1):
            yield report(unreported[:n], tools["report_finding"])
    elif ahead:
        yield ahead
    elif "write_file" in tools and not seen.written and not request.lightweight:
        yield from writes(request, kinds, seen)


def next_page(request: Request, kinds: Sequence[str], seen: Seen) -> Call | None:
    """The call for the next page, or `None` where enough was read."""
    arguments: dict[str, object] = {"kinds": list(kinds)}
    if request.brief.scope:
        arguments["paths"] = list(request.brief.scope)
    length = FIRST_PAGE * 2**seen.n_pages
    if not seen.n_pages:
        return "analyze", {**arguments, "limit": length}
    start = 0
    counts = {"findings": seen.n_findings, **{name: seen.counts.get(name, 0) for name in LISTS}}
    for name, n_found in counts.items():
        stop = start + min(n_found, MOST[name])
        begin = max(seen.position, start)
        if begin < stop and not seen.at_end:
            return "analyze", {**arguments, "offset": begin, "limit": min(length, stop - begin)}
        start += n_found
    return None


def report(findings: Sequence[JsonObject], tool: ToolSchema) -> list[Call]:
    """The calls that report these findings: one, where the tool takes several at once."""
    if "findings" in tool.parameters.get("properties", {}):
        return [(tool.name, {"findings": list(findings)})]
    return [(tool.name, finding) for finding in findings]


def writes(request: Request, kinds: Sequence[str], seen: Seen) -> Iterator[list[Call]]:
    """The declared artifacts, with ever fewer findings in them."""
    paths = artifacts_of(request)
    n = min(len(seen.findings), MOST["findings"])
    while paths:
        yield [
            (
                "write_file",
                {
                    "path": path,
                    "content": written_report(path, request.brief, kinds, seen, seen.findings[:n]),
                },
            )
            for path in paths
        ]
        if not n:
            return
        n //= 2


def artifacts_of(request: Request) -> list[str]:
    """The files that rules can write for the declared artifacts."""
    brief = request.brief
    return [path for one in brief.artifacts if (path := artifact_path(one, brief.agent))]


def last_answer(
    request: Request,
    tools: Mapping[str, ToolSchema],
    kinds: Sequence[str],
    seen: Seen,
    cap: int | None,
) -> Answer:
    """The structured result: as much of it as fits, and always whole JSON."""
    summary = summary_of(request, tools, kinds, seen)
    criteria = judged(request.brief, kinds, seen)
    bare = [{**row, "evidence": ""} for row in criteria]
    data = data_of(tools, seen)
    results: tuple[dict[str, object], ...] = (
        {"summary": summary, "criteria": criteria, "data": data},
        {"summary": summary, "criteria": criteria, "data": None},
        {"summary": summary, "criteria": bare, "data": None},
        {"summary": summary, "criteria": [], "data": None},
        {"summary": "partial: the budget is nearly spent", "criteria": [], "data": None},
    )
    for result in results:
        text = compact(result)
        if cap is None or tokens(text) <= cap:
            return Answer(text, model="offline")
    return Answer("", stop=Stop.MAX_OUTPUT, model="offline")


def summary_of(
    request: Request, tools: Mapping[str, ToolSchema], kinds: Sequence[str], seen: Seen
) -> str:
    """What was found and what was left, in sentences for people."""
    by = f"by rules ({', '.join(kinds)})"
    if not seen.n_pages:
        told = counted(len(seen.reported), "finding")
        return f"Partial, to stay within the budget: {told} reported {by}."
    shown = [
        counted(seen.counts[severity], severity if severity != "information" else "remark")
        for severity in SEVERITIES
        if seen.counts.get(severity)
    ]
    found = ", ".join(shown) or "no findings"
    lists = [
        f"{n} {one if n == 1 else several}"
        for name, (one, several) in TOLD.items()
        if (n := seen.counts.get(name))
    ]
    sentences = [f"{', '.join([found, *lists])} in {counted(seen.files, 'file')}, {by}."]
    n_reported = len(seen.reported_findings) if "report_finding" in tools else len(seen.findings)
    if n_reported < seen.n_findings:
        why = "partial, to stay within the budget" if request.lightweight else "the worst first"
        sentences.append(f"{n_reported} reported, {seen.n_findings - n_reported} left ({why}).")
    elif request.lightweight:
        sentences.append("Partial, to stay within the budget.")
    if "untested" in kinds:
        sentences.append("Writing the tests needs a language model.")
    sentences += missing_artifacts(request, tools, seen)
    return " ".join([*sentences, *(f"{note[:1].upper()}{note[1:]}." for note in seen.notes)])


def missing_artifacts(
    request: Request, tools: Mapping[str, ToolSchema], seen: Seen
) -> Iterator[str]:
    """A sentence for each declared artifact that was not written."""
    for declared in request.brief.artifacts:
        path = artifact_path(declared, request.brief.agent)
        if path is None:
            yield f"{declared} was not written: rules write reports only (.md, .json)."
        elif seen.written.get(path):
            yield f"{path} was not written: {seen.written[path].rstrip('.')}."
        elif path not in seen.written:
            why = "the budget has no room" if "write_file" in tools else "no tool to write with"
            yield f"{path} was not written: {why}."


TOLD = {
    "outline": ("public name", "public names"),
    "dependencies": ("dependency", "dependencies"),
}


def data_of(tools: Mapping[str, ToolSchema], seen: Seen) -> JsonObject | None:
    """What stands nowhere else: lists without an artifact, findings without a tool for them."""
    if any(not why for why in seen.written.values()):
        return None
    data: dict[str, object] = dict(seen.lists)
    if "report_finding" not in tools and seen.findings:
        data["findings"] = seen.findings[: MOST["findings"]]
    return data or None
