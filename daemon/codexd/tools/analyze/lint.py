"""Lint and security findings for Python: ruff's rules, our selection and our words."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
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

PROVOKED = ("B015", "B016", "B017", "B018", "PLW0133", "S110")
"""What a test does on purpose to see what happens."""

FILLED = re.compile(
    r"\b(globals|vars|exec|execfile)\(|global_enum|_convert_|sys\.modules\[__name__\]|import \*"
)
"""How a file gets names that no rule can see."""

FROM_OUTSIDE = {
    "_": "gettext", "ngettext": "gettext", "pgettext": "gettext", "npgettext": "gettext",
    "profile": "line_profiler", "reveal_type": "a type checker",
    "get_ipython": "IPython", "display": "IPython",
}  # fmt: skip
"""Names that a tool may put among the builtins, and the tool."""

CHANGING = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse",
    "setdefault", "sort", "update",
}  # fmt: skip
"""Methods that change what they are called on."""

SQL = re.compile(r"execut|cursor|sqlite|sqlalchemy|psycopg|\bsql|\bdb\b|query", re.IGNORECASE)
"""What a file says that has to do with a database."""

Tree = Callable[[], ast.Module | None]

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

    # Parsing costs more than all else here, and few reports need it: once a file, when asked for.
    # Reports come file by file, and the trees of a large repository would fill the memory.
    @lru_cache(maxsize=4)
    def tree_of(place: int) -> ast.Module | None:
        return parse(files[place])

    for report in reports:
        place = int(Path(report["filename"]).stem)
        file = files[place]
        code = str(report["code"] or "invalid-syntax")
        found = rule_for(code, RULES[kind])
        if found is None or skipped(kind, code, file, str(report["message"])):
            continue
        if code in BY_DESIGN and BY_DESIGN[code](place_of(file, report, tree_of(place))):
            continue
        if code == "invalid-syntax":
            # After the first error of a file the parser guesses; the rest tells nothing.
            if place in broken:
                continue
            broken.add(place)
        weight, rule = found
        yield Weighed(weight, finding(file, rule, code, report, partial(tree_of, place)))


def skipped(kind: str, code: str, file: CodeFile, message: str) -> bool:
    """Whether a report is noise where it stands."""
    return (
        # Tests hold fixed passwords and start programs on purpose.
        (kind == "security" and file.is_test)
        # An import in `__init__.py` is there for others, one under `try` to see whether it works.
        or (code == "F401" and (file.path.endswith("__init__.py") or "find_spec" in message))
        or (code == "S602" and "seems safe" in message)
        or (file.is_test and code in PROVOKED)
        # "Select the keys from the list" is no statement where nothing speaks to a database.
        or (code == "S608" and not SQL.search(file.text))
        # `__all__` of a package names modules too.
        or (
            code == "F822"
            and (file.path.endswith("__init__.py") or FILLED.search(file.text) is not None)
        )
    )


def finding(
    file: CodeFile, rule: Rule, code: str, report: Mapping[str, Any], tree: Tree
) -> Finding:
    """One of ruff's reports as a finding, in words for people."""
    start, end = report["location"], report["end_location"]
    line, column = int(start["row"]), int(start["column"])
    severity, message = rule.severity, rule.says or str(report["message"])
    if code == "F821":
        severity, message = undefined_name(message, place_of(file, report, tree()))
    elif code == "F507":
        message = format_without_place(message, place_of(file, report, tree()))
    elif code == "B006" and not may_change(place_of(file, report, tree())):
        severity = Severity.INFORMATION
        message = "the default is made once and shared by all calls; nothing here changes it"
    elif code == "B023":
        name = quoted(message)
        message = f"`{name}` is the loop's: called after this round, the function sees a later one"
    return Finding(
        path=file.path,
        line=line,
        column=column,
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


def place_of(file: CodeFile, report: Mapping[str, Any], tree: ast.Module | None) -> Place:
    """Where one of ruff's reports stands."""
    start = report["location"]
    return Place(int(start["row"]), int(start["column"]) - 1, file, tree)


def quoted(message: str) -> str:
    """The name that one of ruff's messages is about."""
    found = re.search(r"`([^`]+)`", message)
    return found[1] if found else "?"


class Place:
    """Where a report stands in the tree of its file."""

    def __init__(self, line: int, offset: int, file: CodeFile, tree: ast.Module | None) -> None:
        self.tree, self.text = tree, file.text
        text = file.text.splitlines()[line - 1 : line]
        # The tree counts UTF-8 bytes, ruff code points.
        self.at = (line, len(text[0][:offset].encode()) if text else offset)
        self.around = list(nodes_around(tree, self.at)) if tree else []

    def innermost(self, *kinds: type[ast.AST]) -> Any:
        """The smallest node of one of these kinds around the place, or `None`."""
        return next((node for node in reversed(self.around) if isinstance(node, kinds)), None)

    def function(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The innermost function whose body the place is in: defaults and decorators are not."""
        for node in reversed(self.around):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if self.at >= (node.body[0].lineno, node.body[0].col_offset):
                return node
        return None


def is_tried(place: Place) -> bool:
    """Whether what stands there is tried, to see whether it fails."""
    at = {id(node) for node in place.around}
    tries = (node for node in place.around if isinstance(node, ast.Try) and node.handlers)
    return any(id(statement) in at for node in tries for statement in node.body)


def is_builtin_again(place: Place) -> bool:
    """Whether a module makes a builtin a name of its own: `TimeoutError = TimeoutError`."""
    assigned = place.innermost(ast.Assign)
    value = assigned.value if assigned else None
    named = isinstance(value, ast.Name) and (hasattr(builtins, value.id) or value.id in PYTHON_2)
    return named and place.function() is None


BY_DESIGN: Mapping[str, Callable[[Place], bool]] = {"B018": is_tried, "PLW0127": is_builtin_again}
"""Rules whose reports are none where this holds."""


def may_change(place: Place) -> bool:
    """Whether the function changes the argument whose default this is, or lets it get away."""
    function = place.innermost(ast.FunctionDef, ast.AsyncFunctionDef)
    if function is None:
        return True
    name = argument_with_default(function, place.at)
    return name is None or any(changes(node, name) for node in ast.walk(function))


def argument_with_default(
    function: ast.FunctionDef | ast.AsyncFunctionDef, at: tuple[int, int]
) -> str | None:
    """The argument whose default covers a place."""
    a = function.args
    plain = [*a.posonlyargs, *a.args]
    pairs = [
        *zip(plain[len(plain) - len(a.defaults) :], a.defaults, strict=True),
        *zip(a.kwonlyargs, a.kw_defaults, strict=True),
    ]
    return next((arg.arg for arg, default in pairs if default and holds(default, at)), None)


def changes(node: ast.AST, name: str) -> bool:
    """Whether a node changes what `name` holds, or keeps it for later: `self.x = name`."""

    def is_it(value: ast.AST | None) -> bool:
        return isinstance(value, ast.Name) and value.id == name

    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=method)):
            return is_it(owner) and method in CHANGING
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return is_it(owner)
        case ast.AugAssign(target=target):
            return is_it(target)
        case ast.Assign(value=value) | ast.Return(value=value) | ast.Yield(value=value):
            return is_it(value)
        case _:
            return False


def nodes_around(node: ast.AST, at: tuple[int, int]) -> Iterator[ast.AST]:
    """The nodes below `node` whose text covers a place, the outermost first."""
    for child in ast.iter_child_nodes(node):
        if holds(child, at):
            yield child
            yield from nodes_around(child, at)


def holds(node: ast.AST, at: tuple[int, int]) -> bool:
    """Whether a node's text covers a place; one without a place of its own may."""
    line, end_line = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if line is None or end_line is None:
        return True
    end = (end_line, getattr(node, "end_col_offset", 0))
    return (line, getattr(node, "col_offset", 0)) <= at < end


def undefined_name(message: str, place: Place) -> tuple[Severity, str]:
    """What happens at a name that ruff cannot find: said for the one who calls the function."""
    name = quoted(message)
    if name in PYTHON_2:
        return Severity.WARNING, f"`{name}` exists in Python 2 only"
    function = place.function()
    if in_annotation(place):
        return Severity.WARNING, f"the annotation names `{name}`, which is defined nowhere"
    caller = f"{function.name}()" if function else "importing this file"
    raised = place.innermost(ast.Raise)
    meant = exception_name(raised.exc) if raised else ""
    instead = f", not the {meant} meant here" if meant else ""
    if name in bound_in(function or place.tree):
        fault = "UnboundLocalError" if function else "NameError"
        why = "is read before it exists"
        return Severity.ERROR, f"`{name}` {why}: {caller} raises {fault}{instead}"
    if name in bound_in(place.tree):
        return Severity.WARNING, f"`{name}` may be gone here: this file also deletes it"
    if name in FROM_OUTSIDE:
        text = f"`{name}` is defined nowhere here: {FROM_OUTSIDE[name]} may put it there"
        return Severity.INFORMATION, text
    if name in made_elsewhere(place.tree):
        text = f"`{name}` is there only after another function made it: {caller} relies on that"
        return Severity.WARNING, text
    if FILLED.search(place.text) or name.startswith("__"):
        text = f"no rule sees where `{name}` is defined: this file gets names at run time"
        return Severity.INFORMATION, text
    return Severity.ERROR, f"`{name}` is defined nowhere: {caller} raises NameError{instead}"


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


def bound_in(scope: ast.AST | None) -> set[str]:
    """The names that a function's (or module's) own body binds, those of inner scopes left out."""
    found: set[str] = set()
    waiting = list(ast.iter_child_nodes(scope)) if scope else []
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


def made_elsewhere(tree: ast.Module | None) -> set[str]:
    """The names that functions of the file declare `global` or `nonlocal`."""
    nodes = ast.walk(tree) if tree else ()
    declared = (node.names for node in nodes if isinstance(node, ast.Global | ast.Nonlocal))
    return {name for names in declared for name in names}


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
    return message


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
