"""`read_file`, `list_dir`, `write_file`, and the making of changes."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from codexd.errors import Denied, Source, ToolFault
from codexd.policy import Grant, Layer
from codexd.tools import Effect, FileChange, ToolContext
from codexd.tools.files import (
    FILE_TOOLS,
    ListDir,
    ReadFile,
    WriteFile,
    acts,
    apply,
    list_dir,
    prepare_write,
    read_file,
)

pytestmark = pytest.mark.anyio
HERE = Source("agent.yaml", 7)


def layer(read: list[str], write: list[str]) -> Layer:
    return Layer(
        "agent x",
        HERE,
        read=tuple(Grant(one, HERE) for one in read),
        write=tuple(Grant(one, HERE) for one in write),
    )


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    root = tmp_path.resolve()
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text("one\ntwo\nthree\n")
    (root / ".env").write_text("TOKEN=1\n")
    return ToolContext(root, (layer(["./**"], ["./**"]),))


def paged(context: ToolContext, max_bytes: int) -> ToolContext:
    return ToolContext(context.root, context.policy, max_bytes=max_bytes)


async def reading(context: ToolContext, **said: object) -> str:
    return (await read_file(ReadFile.model_validate(said), context)).text


async def test_a_file_is_given_under_a_line_that_says_which_lines(context: ToolContext) -> None:
    assert await reading(context, path="src/a.py") == ("src/a.py lines 1-3 of 3\none\ntwo\nthree")


async def test_some_lines_are_given(context: ToolContext) -> None:
    text = await reading(context, path="./src//a.py", offset=2, limit=1)
    assert text == "src/a.py lines 2-2 of 3\ntwo"


async def test_the_names_of_other_products_are_taken(context: ToolContext) -> None:
    for key in ("file_path", "target_file", "filePath"):
        assert "lines 1-3" in await reading(context, **{key: "src/a.py"})


def test_an_unknown_argument_is_named() -> None:
    with pytest.raises(ValidationError, match="enc0ding"):
        ReadFile.model_validate({"path": "a", "enc0ding": "utf-8"})


def test_schemas_show_our_names_only() -> None:
    for tool in FILE_TOOLS:
        schema = tool.arguments.model_json_schema()
        assert "path" in schema["properties"]
        assert schema["additionalProperties"] is False
        assert (tool.call is None) == (tool.effect is Effect.FILE_WRITE)


async def test_a_long_file_is_cut_within_its_bound_and_says_how_to_go_on(
    context: ToolContext,
) -> None:
    lines = [f"line {n} éé" for n in range(1, 1001)]
    (context.root / "long.txt").write_text("\n".join(lines))
    seen: list[str] = []
    offset = 1
    for _ in range(100):
        text = await reading(paged(context, 2000), path="long.txt", offset=offset)
        assert len(text.encode()) <= 2000
        _, *body = text.split("\n")
        more = body[-1].startswith("[cut here")
        seen += body[:-1] if more else body
        if not more:
            break
        offset = int(body[-1].rsplit("=", 1)[1].rstrip("]"))
    assert seen == lines


async def test_a_line_that_fills_the_page_is_cut(context: ToolContext) -> None:
    (context.root / "min.js").write_text("x" * 100_000 + "\nrest\n")
    text = await reading(paged(context, 1000), path="min.js")
    assert len(text.encode()) <= 1000
    assert "line 1 is 100,000 characters long" in text
    assert "offset=2" in text


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", "x is empty"),
        (b"\n", "x lines 1-1 of 1\n"),
        (b"no end", "x lines 1-1 of 1\nno end"),
        (b"a\r\nb\r\n", "x lines 1-2 of 2 (CRLF line ends)\na\nb"),
        (b"\xef\xbb\xbfa\n", "x lines 1-1 of 1\na"),
        (b"a\x0cb\x85\xc2\x85c\n", None),
        ("a\nü\n".encode("utf-16"), "x lines 1-2 of 2 (UTF-16)\na\nü"),
        ("日本".encode("shift_jis"), None),
        ("\ufffd".encode(), "x lines 1-1 of 1\n\ufffd"),
    ],
)
async def test_text_of_many_kinds_is_read(
    context: ToolContext, content: bytes, shown: str | None
) -> None:
    (context.root / "x").write_bytes(content)
    text = await reading(context, path="x")
    if shown is None:
        assert "lines 1-1 of 1 (not UTF-8" in text
    else:
        assert text == shown


async def test_a_binary_file_is_said_to_be_one(context: ToolContext) -> None:
    (context.root / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(ToolFault, match="binary file"):
        await reading(context, path="x.png")


async def test_a_line_past_the_end_is_a_fault(context: ToolContext) -> None:
    with pytest.raises(ToolFault, match="has 3 lines"):
        await reading(context, path="src/a.py", offset=9)


async def test_what_may_not_be_read_is_denied(context: ToolContext) -> None:
    with pytest.raises(Denied):
        await reading(context, path=".env")


async def test_a_folder_is_listed_and_paged(context: ToolContext) -> None:
    (context.root / "link").symlink_to("src")
    output = await list_dir(ListDir(), context)
    assert output.text == ".: 2 entries\nlink  (link)\nsrc/"
    output = await list_dir(ListDir.model_validate({"target_directory": "src"}), context)
    assert output.text == "src: 1 entries\na.py  14 bytes"
    for n in range(300):
        (context.root / "src" / f"file-{n:03}.py").write_text("")
    small = paged(context, 1000)
    text = (await list_dir(ListDir(path="src"), small)).text
    assert len(text.encode()) <= 1000
    offset = int(text.rsplit("offset=", 1)[1].rstrip("]"))
    following = (await list_dir(ListDir(path="src", offset=offset), small)).text.split("\n")
    assert following[1].startswith(f"file-{offset - 2:03}.py")


async def write(context: ToolContext, path: str, content: str) -> tuple[FileChange, ...]:
    arguments = WriteFile.model_validate({"file_path": path, "contents": content})
    return await prepare_write(arguments, context)


async def test_a_write_is_prepared_and_then_made(context: ToolContext) -> None:
    changes = await write(context, "./src/a.py", "new\n")
    assert changes == (FileChange("src/a.py", b"one\ntwo\nthree\n", b"new\n"),)
    assert (context.root / "src" / "a.py").read_text() == "one\ntwo\nthree\n"
    output = await apply(changes, context)
    assert (context.root / "src" / "a.py").read_text() == "new\n"
    assert output.wrote == ("src/a.py",)
    assert output.text == "changed src/a.py (3 → 1 lines)"


async def test_a_new_file_is_made_with_its_folders(context: ToolContext) -> None:
    output = await apply(await write(context, "docs/deep/x.md", "é"), context)
    assert (context.root / "docs" / "deep" / "x.md").read_bytes() == "é".encode()
    assert output.text == "made docs/deep/x.md (1 lines)"


async def test_a_file_that_holds_its_text_already_counts_as_written(context: ToolContext) -> None:
    before = (context.root / "src" / "a.py").stat()
    changes = await write(context, "src/a.py", "one\ntwo\nthree\n")
    output = await apply(changes, context)
    assert output.wrote == ("src/a.py",)
    assert output.text == "src/a.py holds that already"
    assert (context.root / "src" / "a.py").stat().st_ino == before.st_ino


async def test_a_write_that_is_not_granted_is_denied_before_anything_is_prepared(
    context: ToolContext,
) -> None:
    narrow = ToolContext(context.root, (layer(["./**"], ["./docs"]),))
    for path in ("src/a.py", "docs/../src/a.py", "docs/AGENTS.md", "docs-evil/x"):
        with pytest.raises(Denied):
            await write(narrow, path, "x")


async def test_content_that_is_no_text_is_a_fault(context: ToolContext) -> None:
    with pytest.raises(ToolFault):
        await prepare_write(WriteFile.model_construct(path="x", content="\ud800"), context)


async def test_a_file_that_changed_after_the_preparation_is_not_overwritten(
    context: ToolContext,
) -> None:
    changes = await write(context, "src/a.py", "new\n")
    (context.root / "src" / "a.py").write_text("somebody else's\n")
    with pytest.raises(ToolFault, match="changed meanwhile"):
        await apply(changes, context)
    assert (context.root / "src" / "a.py").read_text() == "somebody else's\n"


async def test_changes_made_twice_are_made_once(context: ToolContext) -> None:
    changes = (
        *await write(context, "src/a.py", "new\n"),
        FileChange("b.md", None, b"b"),
        FileChange("gone", None, None),
    )
    first = await apply(changes, context)
    again = await apply(changes, context)
    assert first.wrote == again.wrote == ("src/a.py", "b.md")


async def test_files_that_act_later_are_marked(context: ToolContext) -> None:
    output = await apply(await write(context, "Makefile", "all:\n"), context)
    assert "acts when somebody builds" in output.text


@pytest.mark.parametrize(
    "path",
    ["Makefile", "sub/package.json", ".github/workflows/ci.yml", "scripts/x.sh", "conftest.py",
     "a/AGENTS.md", "Dockerfile.dev", "pyproject.toml", "vite.config.ts", ".husky/pre-commit"],
)  # fmt: skip
async def test_build_ci_hook_and_instruction_files_act(path: str) -> None:
    assert acts(path)


@pytest.mark.parametrize("path", ["src/a.py", "docs/makefile.md", "package.json.md", "x.shx"])
async def test_other_files_do_not_act(path: str) -> None:
    assert not acts(path)
