"""`analyze` on real files: each kind of remark, and what paging, policy and cache do to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from codexd.errors import Denied, Source, ToolFault
from codexd.policy import Grant, Layer
from codexd.tools import Finding, ToolContext
from codexd.tools.analyze import ANALYZE_TOOLS, Analyze

FAULTY = """\
import os
import pickle


def load(source):
    while source:
        if not isinstance(source, dict):
            raise TypeError("no dict (r)" % type(key))
        for key in source:
            print(key)


def note(text: "Text", seen=[]):
    return undefined + raw_input


def run(text):
    try:
        return eval(text), pickle.loads(text)
    except:
        pass
"""


KEY_UNBOUND = (
    "`key` is read before it exists: load() raises UnboundLocalError, not the TypeError meant here"
)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    layer = Layer("agent test", Source("test.yaml"))
    return ToolContext(tmp_path.resolve(), (layer,), max_bytes=1_000_000)


async def analyze(context: ToolContext, *kinds: str, **more: Any) -> dict[str, Any]:
    call = ANALYZE_TOOLS[0].call
    assert call
    output = await call(Analyze.model_validate({"kinds": kinds, **more}), context)
    assert not output.is_error
    return json.loads(output.text)


def put(context: ToolContext, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = context.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def told(page: Mapping[str, Any]) -> list[tuple[str, int, str, str]]:
    return [(f["path"], f["line"], f["rule"], f["severity"]) for f in page["findings"]]


@pytest.mark.anyio
async def test_lint_puts_what_breaks_before_what_bites_before_what_is_left_over(
    context: ToolContext,
) -> None:
    put(context, {"a.py": FAULTY})
    page = await analyze(context, "lint")
    assert told(page) == [
        ("a.py", 8, "F821", "error"),
        ("a.py", 14, "F821", "error"),
        ("a.py", 8, "F507", "error"),
        ("a.py", 13, "F821", "warning"),
        ("a.py", 14, "F821", "warning"),
        ("a.py", 20, "E722", "warning"),
        ("a.py", 13, "B006", "information"),
        ("a.py", 1, "F401", "information"),
        ("a.py", 20, "S110", "information"),
    ]
    assert page["counts"] == {"error": 3, "warning": 3, "information": 3}
    assert (page["total"], page["files"], page["next_offset"]) == (9, 1, None)
    assert all(Finding.model_validate(one) for one in page["findings"])


@pytest.mark.anyio
async def test_an_undefined_name_is_told_by_what_happens_to_the_caller(
    context: ToolContext,
) -> None:
    put(context, {"a.py": FAULTY})
    page = await analyze(context, "lint")
    assert [one["message"] for one in page["findings"][:5]] == [
        KEY_UNBOUND,
        "`undefined` is defined nowhere: note() raises NameError",
        "the message has no place for its argument",
        "the annotation names `Text`, which is defined nowhere",
        "`raw_input` exists in Python 2 only",
    ]


@pytest.mark.anyio
async def test_a_name_that_comes_at_run_time_is_no_error(context: ToolContext) -> None:
    filled = "globals().update(x=1)\n\n\ndef f():\n    return x\n"
    deleted = "y = 1\n\n\ndef g():\n    return y\n\n\ndel y\n"
    put(context, {"filled.py": filled, "deleted.py": deleted, "later.py": "print(z)\nz = 1\n"})
    page = await analyze(context, "lint")
    assert told(page) == [
        ("later.py", 1, "F821", "error"),
        ("deleted.py", 5, "F821", "warning"),
        ("filled.py", 5, "F821", "information"),
    ]


@pytest.mark.anyio
async def test_what_a_tool_or_another_function_may_define_is_no_error(
    context: ToolContext,
) -> None:
    made = "def f():\n    def g():\n        nonlocal x\n        x = 1\n\n    g()\n    del x\n"
    put(context, {"a.py": f"{made}    print(_('done'))\n"})
    page = await analyze(context, "lint")
    assert told(page) == [
        ("a.py", 7, "F821", "warning"),
        ("a.py", 8, "F821", "information"),
    ]
    assert "gettext" in page["findings"][1]["message"]


@pytest.mark.anyio
async def test_a_default_is_worked_out_where_the_function_is_defined(context: ToolContext) -> None:
    put(context, {"a.py": "def outer():\n    def inner(x=gone):\n        return lost\n"})
    assert [one["message"] for one in (await analyze(context, "lint"))["findings"]] == [
        "`gone` is defined nowhere: outer() raises NameError",
        "`lost` is defined nowhere: inner() raises NameError",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("x.append(1)", "warning"),
        ("x[0] = 1", "warning"),
        ("del x[0]", "warning"),
        ("x += [1]", "warning"),
        ("self.x = x", "warning"),
        ("return x", "warning"),
        ("return len(x)", "information"),
        ("x = list(x)", "information"),
        ("x.index(1)", "information"),
    ],
)
async def test_a_shared_default_matters_as_much_as_it_is_changed(
    context: ToolContext, body: str, severity: str
) -> None:
    put(context, {"a.py": f"def f(self, y=(), *, x=[]):\n    {body}\n"})
    assert ("a.py", 1, "B006", severity) in told(await analyze(context, "lint"))


@pytest.mark.anyio
async def test_what_is_done_on_purpose_is_no_finding(context: ToolContext) -> None:
    tried = "try:\n    WindowsError\nexcept NameError:\n    WindowsError = OSError\n"
    again = "TimeoutError = TimeoutError\n\n\ndef f(x):\n    x = x\n"
    quiet = "def test_f():\n    try:\n        int('x')\n    except Exception:\n        pass\n"
    put(context, {"a.py": tried, "b.py": again, "tests/test_c.py": quiet})
    assert told(await analyze(context, "lint")) == [("b.py", 5, "PLW0127", "warning")]


@pytest.mark.anyio
async def test_sql_is_only_seen_where_something_speaks_to_a_database(context: ToolContext) -> None:
    label = 'def f(x):\n    return "Select " + x + " from the list"\n'
    query = 'def f(c, x):\n    c.execute("SELECT a FROM b WHERE c = " + x)\n'
    put(context, {"label.py": label, "query.py": query})
    assert told(await analyze(context, "security")) == [("query.py", 2, "S608", "warning")]


@pytest.mark.anyio
async def test_among_equally_bad_findings_those_of_tests_come_last(context: ToolContext) -> None:
    put(context, {"tests/test_a.py": "print(x)\n", "z.py": "print(y)\n"})
    assert [f["path"] for f in (await analyze(context, "lint"))["findings"]] == [
        "z.py",
        "tests/test_a.py",
    ]


@pytest.mark.anyio
async def test_files_that_programs_made_are_left_out(context: ToolContext) -> None:
    made = "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage a\n// TODO: no\n"
    put(
        context, {"a.pb.go": made, "b.js": "/* @generated */ // TODO: no\n", "c.js": "// TODO: yes"}
    )
    page = await analyze(context, "todos")
    assert [one["message"] for one in page["findings"]] == ["TODO: yes"]
    assert page["notes"] == ["left out, made by a program, as they say themselves: 2 files"]


@pytest.mark.anyio
async def test_a_file_that_does_not_parse_is_one_error(context: ToolContext) -> None:
    put(context, {"py2.py": "print 'a'\nprint 'b'\nexec 'c'\n"})
    page = await analyze(context, "lint", "complexity", "docstrings", "outline", "todos")
    assert told(page) == [("py2.py", 1, "syntax", "error")]


@pytest.mark.anyio
async def test_a_fix_replaces_exactly_what_ruff_would(context: ToolContext) -> None:
    put(context, {"a.py": "import os\n\n\ndef f(x=[]):\n    return 'ü', x\n"})
    page = await analyze(context, "lint")
    by_rule = {one["rule"]: Finding.model_validate(one) for one in page["findings"]}
    unused, mutable = by_rule["F401"].fix, by_rule["B006"].fix
    assert unused
    assert mutable
    assert (unused.safe, mutable.safe) == (True, False)
    assert [edit.model_dump() for edit in unused.edits] == [
        {"line": 1, "column": 1, "end_line": 2, "end_column": 1, "text": ""}
    ]
    assert mutable.edits[0].text == "None"
    assert (mutable.edits[0].line, mutable.edits[0].column) == (4, 9)


@pytest.mark.anyio
async def test_a_repository_cannot_switch_rules_off(context: ToolContext) -> None:
    off = '[tool.ruff]\nexclude = ["*"]\n[tool.ruff.lint]\nignore = ["ALL"]\n'
    put(context, {"pyproject.toml": off, "ruff.toml": 'exclude = ["*"]\n', "a.py": FAULTY})
    assert (await analyze(context, "lint"))["counts"]["error"] == 3


@pytest.mark.anyio
async def test_security_finds_what_turns_input_into_code_and_leaves_tests_alone(
    context: ToolContext,
) -> None:
    branched = (
        "try:\n    import cPickle as pickle\nexcept ImportError:\n    import pickle\n\n\n"
        "def f(data, url):\n    return pickle.loads(data)\n"
    )
    shell = "import subprocess\n\n\ndef f(x):\n    subprocess.run(x, shell=True)\n"
    put(context, {"a.py": FAULTY, "b.py": branched, "c.py": shell, "tests/test_a.py": FAULTY})
    assert told(await analyze(context, "security")) == [
        ("c.py", 5, "S602", "error"),
        ("a.py", 19, "S301", "warning"),
        ("b.py", 8, "S301", "warning"),
        ("a.py", 19, "S307", "warning"),
        ("a.py", 20, "S110", "information"),
    ]


@pytest.mark.anyio
async def test_complexity_is_found_in_several_languages_the_worst_first(
    context: ToolContext,
) -> None:
    python = "def f(x):\n" + "".join(f"    if x == {n}:\n        x += 1\n" for n in range(30))
    script = "function g(x) {\n" + "".join(f"if (x === {n}) x += 1;\n" for n in range(17)) + "}\n"
    rust = "fn h(x: i32) -> i32 { if x > 1 { 2 } else { 3 } }\n"
    put(context, {"a.py": python, "b.js": script, "c.rs": rust, "d.txt": script})
    page = await analyze(context, "complexity")
    assert told(page) == [
        ("a.py", 1, "complexity", "warning"),
        ("b.js", 1, "complexity", "information"),
    ]
    assert "31 paths lead through `f`" in page["findings"][0]["message"]


@pytest.mark.anyio
async def test_docstrings_are_missed_only_where_others_look_for_them(
    context: ToolContext,
) -> None:
    text = '''\
class Base:
    """A base."""

    def run(self):
        """Run."""


class Child(Base):
    def run(self):
        pass

    def stop(self):
        pass


class Told:
    """Told."""

    def a(self):
        pass

    def b(self):
        pass


class Empty(Exception):
    pass


def _private():
    pass


def public():
    def inner():
        pass
'''
    put(context, {"a.py": text, "tests/test_a.py": text})
    assert [one["message"] for one in (await analyze(context, "docstrings"))["findings"]] == [
        "class `Child` has no docstring, nor have its public methods stop",
        "`public()` has no docstring",
        "class `Told`: no docstring on the public methods a, b",
    ]


@pytest.mark.anyio
async def test_a_module_that_says_what_it_exports_is_believed(context: ToolContext) -> None:
    put(context, {"a.py": "__all__ = ['a']\n\n\ndef a():\n    pass\n\n\ndef b():\n    pass\n"})
    assert (await analyze(context, "docstrings"))["total"] == 1


@pytest.mark.anyio
async def test_todos_are_counted_in_comments_alone(context: ToolContext) -> None:
    python = 'x = "# TODO: no"  # TODO: tidy up\n# FIXME(ann): wrong for 0\n'
    script = "let TODO = 1;\n// HACK works by luck\n/* TODO */\n"
    put(context, {"a.py": python, "b.ts": script})
    page = await analyze(context, "todos")
    assert [(f["path"], f["line"], f["message"]) for f in page["findings"]] == [
        ("a.py", 2, "FIXME: wrong for 0"),
        ("b.ts", 2, "HACK: works by luck"),
        ("a.py", 1, "TODO: tidy up"),
        ("b.ts", 3, "TODO: nothing more is said"),
    ]
    assert page["findings"][2]["column"] == 21


@pytest.mark.anyio
async def test_untested_lists_public_functions_that_no_test_names(context: ToolContext) -> None:
    code = (
        "def simple():\n    pass\n\n\ndef hard(x):\n    if x:\n        return 1\n    return 2\n\n\n"
        "def known():\n    pass\n\n\ndef _own():\n    pass\n"
    )
    put(context, {"a.py": code, "tests/test_a.py": "def test_known():\n    known()\n"})
    assert [one["message"] for one in (await analyze(context, "untested"))["findings"]] == [
        "no test names `hard`, and 2 paths lead through it",
        "no test names `simple`, and 1 path leads through it",
    ]


PUBLIC = {
    "a.go": (
        "package a\n\nfunc Offered() {\n\tgo func() {\n\t\twork()\n\t}()\n}\n\n"
        "func kept() {\n}\n\nfunc main() {\n}\n"
    ),
    "b.rs": (
        "pub fn offered() -> u8 {\n    fn inner() -> u8 {\n        1\n    }\n    inner()\n}\n\n"
        "pub(crate) fn shared() {\n}\n\nfn kept() {\n}\n\n"
        "#[cfg(test)]\nmod tests {\n    pub fn helper() {\n    }\n}\n"
    ),
    "C.java": (
        "class C {\n  public void offered() {\n  }\n\n  private void kept() {\n  }\n\n"
        "  void near() {\n  }\n}\n"
    ),
    "d.c": "int offered(void) {\n  return 1;\n}\n\nstatic int kept(void) {\n  return 1;\n}\n",
    "e.ts": (
        "export function offered() {\n  function inner() {\n    return 1;\n  }\n"
        "  return inner();\n}\nclass E {\n  private kept() {\n    return 1;\n  }\n}\n"
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", PUBLIC)
async def test_only_what_a_language_offers_to_others_is_public(
    context: ToolContext, name: str
) -> None:
    put(context, {name: PUBLIC[name]})
    page = await analyze(context, "outline", "untested")
    (line,) = page["outline"][name]
    assert "ffered" in line
    assert len(page["findings"]) == 1


@pytest.mark.anyio
async def test_a_rust_file_may_hold_its_own_tests(context: ToolContext) -> None:
    code = "pub fn known() {\n}\n\npub fn unknown() {\n}\n\n#[cfg(test)]\nmod tests {\n"
    put(context, {"a.rs": code + "    #[test]\n    fn it_works() {\n        known();\n    }\n}\n"})
    assert [one["message"] for one in (await analyze(context, "untested"))["findings"]] == [
        "no test names `unknown`, and 1 path leads through it"
    ]


@pytest.mark.anyio
async def test_comments_are_told_from_code_and_texts_in_many_languages(
    context: ToolContext,
) -> None:
    put(
        context,
        {
            "a.js": 'let s = "// TODO: no", u = `https://x`; // TODO: one\n'
            "/*\n TODO: two\n*/ let TODO = '/* TODO: no';\n",
            "b.c": "#define TODO 1\ni--; /* a */ /* TODO: three */\n",
            "c.lua": "x = 1 -- TODO: four\n",
            "d.sh": "echo '# TODO: no' ${#TODO} # TODO: five\n",
            "e.go": "// PREFIX/XXX is no BUG at all\n// XXX six\n// see BUG(me): seven\n",
        },
    )
    page = await analyze(context, "todos")
    assert sorted((f["path"], f["line"], f["message"]) for f in page["findings"]) == [
        ("a.js", 1, "TODO: one"),
        ("a.js", 3, "TODO: two"),
        ("b.c", 2, "TODO: three"),
        ("c.lua", 1, "TODO: four"),
        ("d.sh", 1, "TODO: five"),
        ("e.go", 2, "XXX: six"),
        ("e.go", 3, "BUG: seven"),
    ]


@pytest.mark.anyio
async def test_an_outline_names_what_a_file_offers(context: ToolContext) -> None:
    python = (
        'class A(Base):\n    """An a. More."""\n\n    def m(self):\n        pass\n\n\n'
        "async def f(a, /, b=1, *c, d, e=2, **g):\n    pass\n\n\ndef _own():\n    pass\n"
    )
    put(context, {"a.py": python, "b.go": "package b\n\nfunc Add(a int, b int) int {\n}\n"})
    page = await analyze(context, "outline")
    assert page["outline"] == {
        "a.py": ["1 class A(Base): m — An a.", "8 async def f(a, b=, *c, d, e=, **g)"],
        "b.go": ["3 func Add(a int, b int) int"],
    }
    assert page["counts"] == {"outline": 3}


@pytest.mark.anyio
async def test_dependencies_come_from_every_kind_of_manifest(context: ToolContext) -> None:
    put(
        context,
        {
            "pyproject.toml": '[project]\ndependencies = [\n  "httpx[http2] >=0.28; os_name",\n]\n'
            '[dependency-groups]\ndev = ["pytest"]\n',
            "requirements-dev.txt": "# tools\n-r other.txt\nruff==0.17.5\n",
            "web/package.json": '{"dependencies": {"vue": "^3"}, "devDependencies": {"vite": "*"}}',
            "Cargo.toml": '[dependencies]\nserde = { version = "1", features = ["derive"] }\n',
            "go.mod": "module m\n\nrequire (\n\tgolang.org/x/text v0.3.0\n)\n",
            "a.py": "import yaml\n",
            "broken/package.json": "{",
        },
    )
    assert (await analyze(context, "dependencies"))["dependencies"] == {
        "Cargo.toml": ["2 serde 1"],
        "go.mod": ["4 golang.org/x/text v0.3.0"],
        "pyproject.toml": ["3 httpx >=0.28", "6 pytest"],
        "requirements-dev.txt": ["3 ruff ==0.17.5"],
        "web/package.json": ["1 vite *", "1 vue ^3"],
    }


@pytest.mark.anyio
async def test_without_a_manifest_imports_show_the_dependencies(context: ToolContext) -> None:
    put(context, {"a.py": "import os, yaml\nfrom b import c\nimport urllib2\n", "b.py": ""})
    assert (await analyze(context, "dependencies"))["dependencies"] == {"a.py": ["1 yaml"]}


@pytest.mark.anyio
async def test_pages_join_to_the_whole_and_say_where_to_go_on(context: ToolContext) -> None:
    put(context, {"a.py": FAULTY, "b.py": FAULTY})
    whole = await analyze(context, "lint", "outline")
    found: list[Any] = []
    outline: dict[str, list[str]] = {}
    offset: int | None = 0
    while offset is not None:
        page = await analyze(context, "lint", "outline", offset=offset, limit=4)
        assert (page["total"], page["counts"]) == (whole["total"], whole["counts"])
        found += page["findings"]
        for path, lines in page.get("outline", {}).items():
            outline.setdefault(path, []).extend(lines)
        offset = page["next_offset"]
    assert (found, outline) == (whole["findings"], whole["outline"])
    assert (await analyze(context, "lint", offset=999))["next_offset"] is None


@pytest.mark.anyio
async def test_a_page_keeps_within_the_bytes_of_a_result(context: ToolContext) -> None:
    put(context, {f"a{n}.py": FAULTY for n in range(20)})
    small = replace(context, max_bytes=2_000)
    page = await analyze(small, "lint", limit=500)
    assert len(json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()) <= 2_000
    assert page["next_offset"] == len(page["findings"])
    assert len((await analyze(replace(context, max_bytes=10), "lint"))["findings"]) == 1


@pytest.mark.anyio
async def test_the_scope_is_where_it_looks_when_no_path_is_given(context: ToolContext) -> None:
    put(context, {"src/a.py": FAULTY, "b.py": FAULTY, "node_modules/c.py": FAULTY})
    scoped = replace(context, scope=("./src",))
    assert {path for path, *_ in told(await analyze(scoped, "lint"))} == {"src/a.py"}
    assert {path for path, *_ in told(await analyze(scoped, "lint", paths="b.py"))} == {"b.py"}
    assert (await analyze(context, "lint"))["files"] == 2
    assert (await analyze(context, "lint", paths=["node_modules"]))["files"] == 1


@pytest.mark.anyio
async def test_only_files_that_the_policy_lets_be_read_are_looked_at(
    context: ToolContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.py"
    outside.write_text(FAULTY)
    put(context, {"src/a.py": FAULTY, "b.py": FAULTY})
    (context.root / "src" / "link.py").symlink_to(outside)
    grant = Grant("./src", Source("test.yaml", 3))
    narrow = replace(context, policy=(Layer("agent", Source("test.yaml"), read=(grant,)),))
    page = await analyze(narrow, "lint")
    assert {path for path, *_ in told(page)} == {"src/a.py"}
    with pytest.raises(Denied):
        await analyze(narrow, "lint", paths=["../outside"])
    with pytest.raises(ToolFault):
        await analyze(narrow, "lint", paths=["src/nothing.py"])


@pytest.mark.anyio
async def test_what_cannot_be_analysed_is_counted_in_a_note(context: ToolContext) -> None:
    put(context, {"a.py": "x = 1\n", "large.py": "#" * 1_000_001})
    (context.root / "latin.py").write_bytes(b"# \xe9\n")
    page = await analyze(context, "lint")
    assert page["files"] == 1
    assert [note.partition(":")[0] for note in page["notes"]] == [
        "left out, larger than 1,000,000 bytes, or more than one analysis holds",
        "left out, not UTF-8",
    ]


@pytest.mark.anyio
async def test_a_result_is_kept_until_a_file_changes(context: ToolContext, tmp_path: Path) -> None:
    cached = replace(context, root=context.root / "ws", cache=tmp_path / "cache")
    put(cached, {"a.py": FAULTY})
    first = await analyze(cached, "lint")
    kept = list((tmp_path / "cache").iterdir())
    assert len(kept) == 1
    assert await analyze(cached, "lint", limit=50) == first
    assert list((tmp_path / "cache").iterdir()) == kept
    kept[0].write_text('{"findings": [')
    assert await analyze(cached, "lint") == first
    put(cached, {"a.py": "x = 1\n"})
    assert (await analyze(cached, "lint"))["total"] == 0


@pytest.mark.anyio
async def test_a_file_that_makes_the_parser_give_up_is_passed_over(context: ToolContext) -> None:
    put(context, {"deep.py": "x = " + "(" * 50_000, "odd.js": "}}}}((((", "a.py": FAULTY})
    page = await analyze(context, "lint", "complexity", "docstrings", "outline", "untested")
    assert page["files"] == 3
    assert ("a.py", 8, "F821", "error") in told(page)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        Analyze.model_validate({"kinds": ["style"]})
