"""`codebase_search`: ranking, staying up to date, and never telling what may not be read."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codexd.errors import Denied, Source, ToolFault, Unavailable
from codexd.policy import Grant, Layer, Policy
from codexd.tools import index
from codexd.tools.interface import ToolContext
from codexd.tools.words import words_of

pytestmark = pytest.mark.anyio

HERE = Source("agent.yaml", 3)


USERS = "def getUserName(user_id):\n    return fetch(user_id)\n"


def reading(*paths: str) -> Policy:
    return (Layer("agent x", HERE, read=tuple(Grant(path, HERE) for path in paths)),)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    filler = "".join(f"line {n} of filler\n" for n in range(60))
    write(
        root,
        **{
            "src/users.py": f"{filler}{USERS}{filler}",
            "src/http/parser.py": "class HTTPRequestParser:\n    '''Reads a request.'''\n",
            "docs/guide.md": "# Guide\nHow budgets are held on the parent.\n",
            "docs/設計.md": "この文書は検索結果の順位付けを説明する。\n",
            "tests/test_users.py": "def test_user_name(): assert get_user_name(1)\n",
            ".gitignore": "build/\n",
            "build/out.py": "def getUserName(): pass\n",
            ".env": "USER_NAME_SECRET=hunter2\n",
        },
    )
    (root / "data.bin").write_bytes(b"user name\0")
    return root.resolve()


@pytest.fixture(params=["kept", "memory"])
def context(root: Path, tmp_path: Path, request: pytest.FixtureRequest) -> ToolContext:
    cache = tmp_path / "cache" if request.param == "kept" else None
    return ToolContext(root, reading("."), cache=cache)


@pytest.fixture
def kept(root: Path, tmp_path: Path) -> ToolContext:
    return ToolContext(root, reading("."), cache=tmp_path / "cache")


async def search(where: ToolContext, query: str, **more: Any) -> str:
    asked = index.CodebaseSearch.model_validate({"query": query, **more})
    return (await index.codebase_search(asked, where)).text


def paths(text: str) -> list[str]:
    return [
        line.rsplit(":", 1)[0]
        for line in text.splitlines()
        if line[:1].isalpha() and line.rsplit(":", 1)[-1].replace("-", "").isdigit()
    ]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("get user name", "src/users.py"),
        ("get_user_name", "src/users.py"),
        ("getUserName", "src/users.py"),
        ("http request parser", "src/http/parser.py"),
        ("how is a budget held?", "docs/guide.md"),
        ("検索結果の順位", "docs/設計.md"),
        ("設計", "docs/設計.md"),
    ],
)
async def test_the_best_passage_comes_first(context: ToolContext, query: str, first: str) -> None:
    found = paths(await search(context, query))
    assert first in found[:2]
    assert not {"build/out.py", ".env", "data.bin"} & set(found)


async def test_a_result_is_path_lines_and_the_lines_that_fit(context: ToolContext) -> None:
    text = await search(context, "getUserName fetch", path="src")
    assert "61: def getUserName(user_id):" in text
    assert "62:     return fetch(user_id)" in text
    place = text.splitlines()[0]
    first, last = map(int, place.rsplit(":", 1)[1].split("-"))
    assert place.startswith("src/users.py:")
    assert first <= 61
    assert last >= 62


async def test_paths_globs_and_scope_bound_the_answer(context: ToolContext) -> None:
    assert paths(await search(context, "user name", path="tests")) == ["tests/test_users.py"]
    assert paths(await search(context, "user name", glob="!tests/**")) == ["src/users.py"]
    scoped = replace(context, scope=("tests",))
    assert paths(await search(scoped, "user name")) == ["tests/test_users.py"]
    with pytest.raises(ToolFault):
        await search(context, "user name", path="absent")


async def test_nothing_found_says_so(context: ToolContext) -> None:
    assert await search(context, "zebra") == "nothing found; try other words, or grep"
    with pytest.raises(ToolFault, match="no words"):
        await search(context, "?!")


@pytest.mark.parametrize(
    "query", ['"user" OR', "user*", "NEAR(user name)", "path:user", "a AND b'"]
)
async def test_a_question_is_words_and_no_query_language(context: ToolContext, query: str) -> None:
    assert await search(context, query)


async def test_what_changed_is_found_and_what_is_gone_is_not(kept: ToolContext) -> None:
    assert paths(await search(kept, "zebra")) == []
    write(kept.root, **{"src/zebra.py": "zebra = 1\n", "docs/guide.md": "Nothing here.\n"})
    assert paths(await search(kept, "zebra")) == ["src/zebra.py"]
    assert "docs/guide.md" not in paths(await search(kept, "budgets held"))
    (kept.root / "src/zebra.py").rename(kept.root / "src/horse.py")
    assert paths(await search(kept, "zebra")) == ["src/horse.py"]
    (kept.root / "src/horse.py").unlink()
    assert paths(await search(kept, "zebra")) == []


async def test_only_what_changed_is_read_again(kept: ToolContext) -> None:
    await search(kept, "user")
    before = rows(kept)
    write(kept.root, **{"new.py": "user = 1\n"})
    await search(kept, "user")
    after = rows(kept)
    assert before.items() < after.items()
    assert set(after) - set(before) == {"new.py"}


def rows(context: ToolContext) -> dict[str, int]:
    assert context.cache is not None
    with closing(sqlite3.connect(index.place(context.cache))) as store:
        return dict(store.execute("SELECT path, id FROM file"))


async def test_pages_join(context: ToolContext) -> None:
    write(context.root, **{f"many/{n}.py": f"zebra = {n}\n" for n in range(12)})
    whole = paths(await search(context, "zebra", max_results=20))
    first = await search(context, "zebra", max_results=5)
    assert "go on with offset=5]" in first
    rest = await search(context, "zebra", max_results=20, offset=5)
    assert paths(first) + paths(rest) == whole
    assert len(whole) == 12


async def test_a_result_keeps_to_its_bytes(context: ToolContext) -> None:
    write(context.root, **{f"many/{n}.py": "zebra 縞馬 " * 500 for n in range(30)})
    small = replace(context, max_bytes=2000)
    assert len((await search(small, "zebra", max_results=50)).encode()) <= 2000


# --- what may not be read -------------------------------------------------------------------


async def test_protected_files_never_get_into_the_index(kept: ToolContext) -> None:
    granted = replace(kept, policy=reading(".", ".env"))
    await search(granted, "user name secret")
    assert ".env" not in rows(granted)
    assert kept.cache is not None
    for file in kept.cache.iterdir():
        assert b"hunter2" not in file.read_bytes()


async def test_agents_share_an_index_and_not_their_grants(kept: ToolContext) -> None:
    narrow = replace(kept, policy=reading("docs"))
    assert "src/users.py" in paths(await search(kept, "user name guide"))
    assert paths(await search(narrow, "user name guide")) == ["docs/guide.md"]
    with pytest.raises(Denied):
        await search(narrow, "user name", path="src")
    # The narrow agent's question has not made the wide one's index forget.
    assert "src/users.py" in rows(kept)


async def test_what_became_ignored_is_not_told(kept: ToolContext) -> None:
    assert "src/users.py" in paths(await search(kept, "user name"))
    write(kept.root, **{".gitignore": "src/\n"})
    assert "src/users.py" not in paths(await search(kept, "user name"))


@pytest.mark.parametrize("how", ["ignored", "removed", "a link"])
async def test_the_index_keeps_no_word_of_what_it_forgot(kept: ToolContext, how: str) -> None:
    secret = kept.root / "src" / "secret.txt"
    secret.write_text("xyzzyplugh is the word\n")
    assert "src/secret.txt" in paths(await search(kept, "xyzzyplugh"))
    if how == "ignored":
        write(kept.root, **{".gitignore": "secret.txt\n"})
    else:
        secret.unlink()
        if how == "a link":
            secret.symlink_to("users.py")
    assert paths(await search(kept, "xyzzyplugh")) == []
    assert "src/secret.txt" not in rows(kept)
    assert kept.cache is not None
    held = b"".join(file.read_bytes() for file in kept.cache.iterdir())
    assert b"xyzzyplugh" not in held


# --- the index itself -----------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"no database at all, but rather long" * 500, b""])
async def test_a_broken_index_is_made_again(kept: ToolContext, damage: bytes) -> None:
    await search(kept, "user name")
    assert kept.cache is not None
    index.place(kept.cache).write_bytes(damage)
    assert "src/users.py" in paths(await search(kept, "user name"))


async def test_a_torn_page_is_mended(kept: ToolContext) -> None:
    write(kept.root, **{f"many/{n}.py": f"zebra{n} = {n}\n" * 50 for n in range(50)})
    await search(kept, "user name")
    assert kept.cache is not None
    place = index.place(kept.cache)
    damaged = bytearray(place.read_bytes())
    damaged[8192:] = os.urandom(len(damaged) - 8192)
    place.write_bytes(bytes(damaged))
    assert "src/users.py" in paths(await search(kept, "user name"))


async def test_an_index_of_another_version_is_made_again(
    kept: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search(kept, "user name")
    monkeypatch.setattr(index, "VERSION", 99)
    assert "src/users.py" in paths(await search(kept, "user name"))


async def test_a_cache_that_cannot_be_written_is_told(kept: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        await search(replace(kept, cache=tmp_path / "file" / "below"), "user")


async def test_too_little_time_answers_from_what_there_is(
    kept: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "SECONDS", -1.0)
    assert "[the index is still behind by 7 files" in await search(kept, "user name")
    monkeypatch.undo()
    assert "src/users.py" in paths(await search(kept, "user name"))


def test_two_processes_at_once_are_fine(kept: ToolContext) -> None:
    write(kept.root, **{f"many/{n}.py": f"zebra{n} = {n}\n" * 30 for n in range(200)})
    program = f"""
import anyio
from pathlib import Path
from codexd.tools import index
from codexd.tools.interface import ToolContext
context = ToolContext(Path({str(kept.root)!r}), (), cache=Path({str(kept.cache)!r}))
asked = index.CodebaseSearch(query="zebra7")
print(anyio.run(index.codebase_search, asked, context).text.splitlines()[0])
"""
    env = {**os.environ, "PYTHONPATH": str(Path(index.__file__).parents[2])}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert all(line.startswith("many/7.py:") for line in said)
    assert len(rows(kept)) == 207


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("getUserName", "get user name getusername"),
        ("get_user_name", "get user name getusername"),
        ("HTTPServer2", "http server 2 httpserver2"),
        ("MAX_SIZE", "max size maxsize"),
        ("x = foo.bar(1)", "x foo bar 1"),
        ("検索結果", "検索 索結 結果"),
        ("字", "字"),
        ("APIの設計v2", "api の設 設計 v 2 v2"),
        ("ﾃｽﾄ", "テス スト"),
        ("naïve", "naïve"),
        ("___", ""),
        ("a" * 81, ""),
    ],
)
def test_words(text: str, words: str) -> None:
    assert " ".join(words_of(text)) == words


def test_chunks_cover_every_line_and_overlap() -> None:
    lines = [str(n) for n in range(1, 101)]
    pieces = list(index.chunks(lines))
    assert [first for first, _ in pieces] == [1, 31, 61]
    assert {line for _, piece in pieces for line in piece} == set(lines)
    assert all(piece[0] == str(first) for first, piece in pieces)
    assert [first for first, _ in index.chunks(["a"])] == [1]
