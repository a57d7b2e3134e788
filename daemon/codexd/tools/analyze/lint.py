"""Lint and security findings for Python: ruff's rules, our selection and our words."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from codexd.errors import Severity, Unavailable
from codexd.tools.analyze.code import CodeFile, Weighed, parse
from codexd.tools.analyze.rules import LINT, SECURITY, UNWANTED, Rule, rule_for, selection
from codexd.tools.interface import Finding, Fix, TextEdit

RULES = {"lint": LINT, "security": SECURITY}

PYTHON_2 = {"basestring", "long", "raw_input", "reduce", "unichr", "unicode", "xrange", "cmp"}
"""Names that were builtins once: mostly behind a check of the version that ruff cannot follow."""

LARGEST_FIX = 2_000
"""Bytes of new text that a fix may carry; a larger one is better asked of an editor."""

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "jsonpickle", "cloudpickle"}


def ruff_program() -> str:
    """The path of the ruff that was installed with us. Raises `Unavailable`."""
    beside = Path(sys.executable).with_name("ruff")
    if beside.is_file():
        return str(beside)
    try:
        return str(import_module("ruff").find_ruff_bin())
    except (ImportError, FileNotFoundError) as fault:
        raise Unavailable(
            "ruff, which checks Python, was not found",
            help="install codexd again: ruff comes with it",
        ) from fault


def ruff_command(kinds: Iterable[str], reports: str) -> list[str]:
    """The argument list that checks the folder in which it is run and writes to `reports`.

    Nothing of a repository's own configuration counts: it could switch off every rule.
    """
    wanted = ",".join(selection(RULES[kind]) for kind in kinds if kind in RULES)
    return [
        ruff_program(),
        "check",
        "--isolated",
        "--no-cache",
        "--exit-zero",
        "--quiet",
        "--output-format=json",
        f"--output-file={reports}",
        # The newest: what is a fault in an old Python alone is not this review's subject.
        "--target-version=py314",
        f"--select={wanted}",
        f"--ignore={','.join(UNWANTED)}",
        ".",
    ]


def lint(
    kind: str, reports: Iterable[Mapping[str, Any]], files: Sequence[CodeFile]
) -> Iterator[Weighed]:
    """The findings of one kind in ruff's JSON reports, which name a file by its place."""
    broken: set[int] = set()
    trees: dict[int, ast.Module | None] = {}
    for report in reports:
        place = int(Path(report["filename"]).stem)
        file = files[place]
        code = str(report["code"] or "invalid-syntax")
        found = rule_for(code, RULES[kind])
        if found is None or skipped(kind, code, file, str(report["message"])):
            continue
        if code == "invalid-syntax":
            # After the first error of a file the parser guesses; the rest tells nothing.
            if place in broken:
                continue
            broken.add(place)
        if place not in trees:
            trees[place] = parse(file)
        weight, rule = found
        yield Weighed(weight, finding(file, rule, code, report, trees[place]))


def skipped(kind: str, code: str, file: CodeFile, message: str) -> bool:
    """Whether a report is noise where it stands."""
    return (
        # Tests hold fixed passwords and start programs on purpose.
        (kind == "security" and file.is_test)
        # An import in `__init__.py` is there for others, one under `try` to see whether it works.
        or (code == "F401" and (file.path.endswith("__init__.py") or "find_spec" in message))
        or (code == "S602" and "seems safe" in message)
    )


def finding(
    file: CodeFile, rule: Rule, code: str, report: Mapping[str, Any], tree: ast.Module | None
) -> Finding:
    """One of ruff's reports as a finding, in words for people."""
    start, end = report["location"], report["end_location"]
    place = Place(int(start["row"]), int(start["column"]) - 1, file, tree)
    severity, message = rule.severity, rule.says or str(report["message"])
    if code == "F821":
        severity, message = undefined_name(str(report["message"]), place)
    elif code in ("F507", "F524", "F505"):
        message = format_without_place(str(report["message"]), place)
    return Finding(
        path=file.path,
        line=place.line,
        column=place.offset + 1,
        end_line=int(end["row"]),
        end_column=int(end["column"]),
        severity=severity,
        message=message,
        rule="syntax" if code == "invalid-syntax" else code,
        fix=fix_of(report.get("fix")),
    )


def fix_of(fix: Mapping[str, Any] | None) -> Fix | None:
    """Ruff's change as ours; `None` where it has none that may be applied."""
    if not fix or fix["applicability"] == "display" or len(str(fix["edits"])) > LARGEST_FIX:
        return None
    edits = tuple(
        TextEdit(
            line=int(edit["location"]["row"]),
            column=int(edit["location"]["column"]),
            end_line=int(edit["end_location"]["row"]),
            end_column=int(edit["end_location"]["column"]),
            text=str(edit["content"]),
        )
        for edit in fix["edits"]
    )
    return Fix(title=str(fix["message"]), edits=edits, safe=fix["applicability"] == "safe")


class Place:
    """Where a report stands in the tree of its file."""

    def __init__(self, line: int, offset: int, file: CodeFile, tree: ast.Module | None) -> None:
        self.line, self.offset, self.tree = line, offset, tree
        text = file.text.splitlines()[line - 1 : line]
        # The tree counts UTF-8 bytes, ruff code points.
        at = (line, len(text[0][:offset].encode()) if text else offset)
        self.around = [node for node in ast.walk(tree) if holds(node, at)] if tree else []

    def innermost(self, *kinds: type[ast.AST]) -> Any:
        """The smallest node of one of these kinds around the place, or `None`."""
        fitting = [node for node in self.around if isinstance(node, kinds)]
        return max(fitting, key=lambda node: (node.lineno, node.col_offset), default=None)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]


def holds(node: ast.AST, at: tuple[int, int]) -> bool:
    """Whether a node's text covers a place."""
    if not isinstance(node, ast.expr | ast.stmt):
        return False
    end = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return (node.lineno, node.col_offset) <= at < end


def undefined_name(message: str, place: Place) -> tuple[Severity, str]:
    """What happens at a name that ruff cannot find: said for the one who calls the function."""
    quoted = re.search(r"`([^`]+)`", message)
    name = quoted[1] if quoted else "?"
    if name in PYTHON_2:
        return Severity.WARNING, f"`{name}` exists in Python 2 only"
    function = place.innermost(ast.FunctionDef, ast.AsyncFunctionDef)
    if in_annotation(place):
        return Severity.WARNING, f"the annotation names `{name}`, which is defined nowhere"
    caller = f"{function.name}()" if function else "importing this file"
    if function and name in bound_in(function):
        fault, why = "UnboundLocalError", "is read before it exists"
    elif not function and place.tree and name in bound_in(place.tree):
        fault, why = "NameError", "is read before it exists"
    else:
        fault, why = "NameError", "is defined nowhere"
    raised = place.innermost(ast.Raise)
    meant = exception_name(raised.exc) if raised else ""
    instead = f", not the {meant} meant here" if meant else ""
    return Severity.ERROR, f"`{name}` {why}: {caller} raises {fault}{instead}"


def in_annotation(place: Place) -> bool:
    """Whether the place is inside an annotation of an argument, a result or a variable."""
    at = {id(node) for node in place.around}
    for node in place.around:
        if isinstance(node, ast.AnnAssign) and id(node.annotation) in at:
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            a = node.args
            args = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
            notes = [node.returns, *(arg.annotation for arg in args if arg)]
            if any(id(note) in at for note in notes if note):
                return True
    return False


def bound_in(scope: ast.AST) -> set[str]:
    """The names that a function's (or module's) own body binds, those of inner scopes left out."""
    found: set[str] = set()
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update((one.asname or one.name).partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        if not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def exception_name(raised: ast.expr | None) -> str:
    """`TypeError` of `raise TypeError(…)`; empty for anything else."""
    called = raised.func if isinstance(raised, ast.Call) else raised
    return called.id if isinstance(called, ast.Name) and called.id[:1].isupper() else ""


def format_without_place(message: str, place: Place) -> str:
    """What is wrong with a format string whose places and arguments do not agree."""
    what = "message" if place.innermost(ast.Raise) else "format string"
    counts = re.search(r"(\d+) placeholder\(s\) but (\d+) substitution", message)
    if counts:
        places, given = int(counts[1]), int(counts[2])
        if not places:
            return f"the {what} has no place for its argument" + ("s" if given > 1 else "")
        return f"the {what} has {places} places for {given} arguments: formatting it fails"
    return f"the {what} has a place for which there is no argument: {message}"


def pickles(files: Iterable[CodeFile], known: set[tuple[str, int]]) -> Iterator[Weighed]:
    """Unpickling that ruff misses because the import stands in a branch; `known` has the rest."""
    weight, rule = rule_for("S301", SECURITY) or (0, Rule("S301", Severity.WARNING))
    for file in files:
        if not file.is_python or file.is_test or "ickle" not in file.text:
            continue
        tree = parse(file)
        for call in ast.walk(tree) if tree else ():
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            owner = call.func.value
            if (
                call.func.attr in ("load", "loads", "Unpickler")
                and isinstance(owner, ast.Name)
                and owner.id in PICKLES
                and (file.path, call.lineno) not in known
            ):
                yield Weighed(
                    weight,
                    Finding(
                        path=file.path,
                        line=call.lineno,
                        column=call.col_offset + 1,
                        end_line=call.end_lineno,
                        end_column=(call.end_col_offset or 0) + 1,
                        severity=rule.severity,
                        message=rule.says,
                        rule="S301",
                    ),
                )
