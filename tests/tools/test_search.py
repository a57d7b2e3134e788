"""`grep` and `glob`: one suite over both engines of `grep`."""

import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.needs import needs

from codexd.errors import Denied, Source, ToolFault
from codexd.policy import Grant, Layer, Policy
from codexd.tools import engines, search
from codexd.tools.interface import ToolContext

pytestmark = pytest.mark.anyio

HERE = Source("agent.yaml", 3)


def reading(*paths: str) -> Policy:
    return (Layer("agent x", HERE, read=tuple(Grant(path, HERE) for path in paths)),)


@pytest.fixture(params=["ripgrep", "python"])
def path_of_programs(request: pytest.FixtureRequest) -> str:
    return str(Path(needs("rg")).parent) if request.param == "ripgrep" else "/nowhere"


@pytest.fixture
def context(tmp_path: Path, path_of_programs: str) -> ToolContext:
    files = {
        "src/app.py": "import os\n\ndef main():\n    return os.getcwd()\n",
        "src/lib/tools.py": "def helper():\n    return main()\n",
        "src/lib/view.ts": "export function main() {}\r\nlet x = 1;\r\n",
        "docs/読んで.md": "検索の説明\nmain の話\n",
        ".gitignore": "build/\n*.log\n",
        "build/out.py": "def main(): pass\n",
        "run.log": "main\n",
        ".env": "SECRET_MAIN=main\n",
        "-odd name.txt": "main here\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (tmp_path / "data.bin").write_bytes(b"main\0main\n")
    return ToolContext(tmp_path.resolve(), reading("."), env={"PATH": path_of_programs})


async def grep(context: ToolContext, /, **arguments: Any) -> str:
    return (await search.grep(search.Grep.model_validate(arguments), context)).text


async def test_a_match_is_path_line_and_text_and_ignored_protected_binary_files_are_left_out(
    context: ToolContext,
) -> None:
    assert (await grep(context, pattern="main")).splitlines() == [
        "-odd name.txt:1: main here",
        "docs/読んで.md:2: main の話",
        "src/app.py:3: def main():",
        "src/lib/tools.py:2:     return main()",
        "src/lib/view.ts:1: export function main() {}",
    ]


async def test_ignored_files_are_searched_when_asked_and_protected_ones_still_not(
    context: ToolContext,
) -> None:
    found = await grep(context, pattern="main", ignored=True, output="files")
    assert "build/out.py" in found
    assert "run.log" in found
    assert ".env" not in found


async def test_the_scope_is_where_it_starts_and_a_path_replaces_it(context: ToolContext) -> None:
    scoped = ToolContext(context.root, context.policy, scope=("src/lib",), env=context.env)
    assert await grep(scoped, pattern="main", output="files") == "src/lib/tools.py\nsrc/lib/view.ts"
    assert await grep(scoped, pattern="main", path="src/app.py") == "src/app.py:3: def main():"


async def test_what_the_policy_does_not_grant_is_not_searched(context: ToolContext) -> None:
    narrow = ToolContext(context.root, reading("src/lib"), env=context.env)
    assert await grep(narrow, pattern="main", output="files") == "src/lib/tools.py\nsrc/lib/view.ts"
    with pytest.raises(Denied, match="docs"):
        await grep(narrow, pattern="main", path="docs")


async def test_globs_select_and_leave_out(context: ToolContext) -> None:
    assert await grep(context, pattern="main", glob="*.py", output="files") == (
        "src/app.py\nsrc/lib/tools.py"
    )
    assert await grep(context, pattern="main", glob=["*.{py,ts}", "!src/lib/**"]) == (
        "src/app.py:3: def main():"
    )


async def test_case_counts_and_plain_text(context: ToolContext) -> None:
    assert (await grep(context, pattern="DEF MAIN")).startswith("no match in 7 files")
    assert await grep(context, pattern="DEF MAIN", ignore_case=True) == "src/app.py:3: def main():"
    assert await grep(context, pattern="main()", fixed=True, output="counts") == (
        "src/app.py: 1\nsrc/lib/tools.py: 1\nsrc/lib/view.ts: 1"
    )


async def test_line_ends_and_whole_lines(context: ToolContext) -> None:
    assert await grep(context, pattern="^let x = 1;$") == "src/lib/view.ts:2: let x = 1;"
    assert await grep(context, pattern=r"検索\w+") == "docs/読んで.md:1: 検索の説明"
    assert await grep(context, pattern="^$") == "src/app.py:2: "


async def test_a_lookahead_works_with_either_engine(context: ToolContext) -> None:
    assert await grep(context, pattern=r"main(?= here)") == "-odd name.txt:1: main here"


async def test_context_lines_are_shown_once_and_apart(context: ToolContext) -> None:
    lines = ["hit", "a", "hit", "b", "c", "d", "e", "hit"]
    (context.root / "many.txt").write_text("\n".join(lines) + "\n")
    assert (await grep(context, pattern="hit", path="many.txt", context=1)).splitlines() == [
        "many.txt:1: hit",
        "many.txt-2- a",
        "many.txt:3: hit",
        "many.txt-4- b",
        "--",
        "many.txt-7- e",
        "many.txt:8: hit",
    ]


async def test_pages_join_without_a_gap_and_say_how_to_go_on(context: ToolContext) -> None:
    (context.root / "many.txt").write_text("".join(f"row {n}\n" for n in range(50)))
    first = (await grep(context, pattern="row", path="many.txt", max_results=20)).splitlines()
    assert first[-1] == "[matching lines 1-20 of more than 20; go on with offset=20]"
    rest = (await grep(context, pattern="row", path="many.txt", offset=20)).splitlines()
    assert first[:-1] + rest == [f"many.txt:{n + 1}: row {n}" for n in range(50)]
    past = await grep(context, pattern="row", path="many.txt", offset=70)
    assert past == "[nothing at offset 70: there are 50 matching lines]"


async def test_a_result_keeps_to_its_bytes(context: ToolContext) -> None:
    (context.root / "many.txt").write_text("".join(f"行 {n} {'長' * 900}\n" for n in range(50)))
    small = ToolContext(context.root, context.policy, env=context.env, max_bytes=3000)
    text = await grep(small, pattern="行", path="many.txt")
    assert len(text.encode()) <= 3000
    assert "go on with offset=" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("pattern", "pointed"),
    [("(abc", "⟨here⟩(abc"), ("a|*b", "a|⟨here⟩*b"), ("[z-a]", "[⟨here⟩z-a]")],
)
async def test_a_bad_pattern_is_pointed_at(
    context: ToolContext, pattern: str, pointed: str
) -> None:
    with pytest.raises(ToolFault) as fault:
        await grep(context, pattern=pattern)
    assert pointed in str(fault.value)


async def test_a_pattern_that_looks_like_an_option_is_a_pattern(context: ToolContext) -> None:
    (context.root / "options.txt").write_text("--pre=touch\n")
    assert await grep(context, pattern="--pre=touch") == "options.txt:1: --pre=touch"


async def test_a_backtracking_pattern_stops_no_one(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    (context.root / "evil.txt").write_text("a" * 40 + "!\n")
    monkeypatch.setattr(engines, "SECONDS", 1.0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.02)
            ticks += 1

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            # The lookahead sends it to Python's engine where ripgrep is there.
            with pytest.raises(ToolFault, match="took more than 1 s"):
                await grep(context, pattern="(?=a)(a+)+$", path="evil.txt")
            group.cancel_scope.cancel()
    assert ticks > 10


async def test_a_link_that_leads_to_a_protected_file_shows_nothing(context: ToolContext) -> None:
    (context.root / "harmless.txt").symlink_to(".env")
    assert (await grep(context, pattern="SECRET_MAIN")).startswith("no match")
    with pytest.raises(Denied, match="protected"):
        await grep(context, pattern="SECRET_MAIN", path="harmless.txt")


async def test_a_hit_that_the_policy_does_not_confirm_is_dropped(context: ToolContext) -> None:
    # What ripgrep would report of a file that was swapped while it ran.
    swapped = engines.Hit(1, b"SECRET_MAIN=main")
    shown = search.shown(
        search.Grep(pattern="main"), {".env": [swapped], "src/app.py": [swapped]}, context
    )
    assert shown == ""


async def test_configuration_of_ripgrep_is_not_read(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rc").write_text("--invert-match\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(tmp_path / "rc"))
    found = await grep(context, pattern="def main", path="src/app.py")
    assert found == "src/app.py:3: def main():"


async def find(context: ToolContext, **arguments: Any) -> list[str]:
    found = await search.glob(search.Glob.model_validate(arguments), context)
    return found.text.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> ToolContext:
    for name in ("a.py", "src/b.py", "src/deep/c.ts", "src/deep/d.tsx", ".env", "src/.env.local"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return ToolContext(tmp_path.resolve(), reading("."))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["a.py", "src/b.py"]),
        ("/*.py", ["a.py"]),
        ("src/*.py", ["src/b.py"]),
        ("**/*.{ts,tsx}", ["src/deep/c.ts", "src/deep/d.tsx"]),
        ("src/**", ["src/b.py", "src/deep/c.ts", "src/deep/d.tsx"]),
        ("src/deep/", ["src/deep/c.ts", "src/deep/d.tsx"]),
        ("?.py", ["a.py", "src/b.py"]),
        (["*", "!*.py"], ["src/deep/c.ts", "src/deep/d.tsx"]),
        (".env*", ["no readable file matches .env*"]),
    ],
)
async def test_glob_finds(folder: ToolContext, pattern: Any, found: list[str]) -> None:
    assert await find(folder, pattern=pattern) == found


async def test_glob_starts_where_it_is_told_and_pages(folder: ToolContext) -> None:
    assert await find(folder, pattern="*", path="src/deep", max_results=1) == [
        "src/deep/c.ts",
        "[files 1-1 of more than 1; go on with offset=1]",
    ]
    assert await find(folder, pattern="*", path="src/deep", offset=1) == ["src/deep/d.tsx"]


async def test_glob_newest_first(folder: ToolContext) -> None:
    os.utime(folder.root / "src/b.py", (2_000_000_000, 2_000_000_000))
    os.utime(folder.root / "a.py", (1_000_000_000, 1_000_000_000))
    assert await find(folder, pattern="*.py", newest_first=True) == ["src/b.py", "a.py"]


async def test_a_glob_of_endless_braces_is_refused(folder: ToolContext) -> None:
    with pytest.raises(ToolFault, match="too many alternatives"):
        await find(folder, pattern="{a,b}" * 12)
