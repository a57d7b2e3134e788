"""`apply_patch`: two formats and a replacement, all or nothing."""

import difflib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from codexd.errors import Denied, Source, ToolFault
from codexd.policy import Grant, Layer
from codexd.tools import FileChange, ToolContext, hunks
from codexd.tools.files import apply
from codexd.tools.patch import PATCH_TOOLS, ApplyPatch, prepare_patch

pytestmark = pytest.mark.anyio
HERE = Source("agent.yaml", 7)
ALL = (Grant("./**", HERE),)

CODE = """\
class One:
    def greet(self):
        print("Hi")

class Two:
    def greet(self):
        print("Hi")
"""


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    root = tmp_path.resolve()
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text(CODE)
    (root / "b.txt").write_text("1\n2\n3\n4\n5\n6\n7\n8\n9\n")
    return ToolContext(root, (Layer("agent x", HERE, read=ALL, write=ALL),))


async def prepared(context: ToolContext, **said: object) -> dict[str, bytes | None]:
    changes = await prepare_patch(ApplyPatch.model_validate(said), context)
    for change in changes:
        path = context.root / change.path
        assert change.before == (path.read_bytes() if path.exists() else None)
    return {change.path: change.after for change in changes}


def codex(*lines: str) -> str:
    return "\n".join(("*** Begin Patch", *lines, "*** End Patch"))


# --- Codex's format ---------------------------------------------------------------------------


async def test_a_codex_patch_adds_updates_moves_and_deletes(context: ToolContext) -> None:
    patch = codex(
        "*** Add File: new/hello.txt",
        "+Hello",
        "+",
        "+world",
        "*** Update File: src/a.py",
        "*** Move to: src/main.py",
        "@@ class Two:",
        "     def greet(self):",
        '-        print("Hi")',
        '+        print("Hello")',
        "*** Delete File: b.txt",
    )
    changes = await prepared(context, patch=patch)
    head, tail = CODE.rsplit("Hi", 1)
    assert changes == {
        "new/hello.txt": b"Hello\n\nworld\n",
        "src/a.py": None,
        "src/main.py": f"{head}Hello{tail}".encode(),
        "b.txt": None,
    }
    output = await apply(await prepare_patch(ApplyPatch(patch=patch), context), context)
    assert set(output.wrote) == {"new/hello.txt", "src/main.py"}
    assert sorted(path.name for path in context.root.rglob("*.*")) == ["hello.txt", "main.py"]


async def test_several_headers_lead_to_the_place(context: ToolContext) -> None:
    patch = codex(
        "*** Update File: src/a.py",
        "@@ class Two:",
        "@@     def greet(self):",
        '-        print("Hi")',
        "+        pass",
    )
    after = (await prepared(context, patch=patch))["src/a.py"]
    assert after == (CODE[: CODE.rindex("print")] + "pass\n").encode()


@pytest.mark.parametrize(
    ("held", "hunk", "after"),
    [
        ("a\nb\nc\n", ["-b", "+B"], "a\nB\nc\n"),
        ("a\nb\nc\n", ["@@", " a", "-b", " c"], "a\nc\n"),
        ("a\nb\n", ["@@", "+c"], "a\nb\nc\n"),
        ("a\nb\na\nb\n", ["@@", " a", "-b", "+B", "@@", " a", "-b", "+C"], "a\nB\na\nC\n"),
        ("a\nb\na\n", ["@@", "-a", "+z", "*** End of File"], "a\nb\nz\n"),
        ("a  \n\tb\n", ["@@", " a", "-b", "+B"], "a  \nB\n"),
        ("“a” – b\nc\n", ["@@", ' "a" - b', "-c", "+d"], "“a” – b\nd\n"),
        ("a\n\nb\n", ["@@", " a", "", "-b", "+c"], "a\n\nc\n"),
        ("a\nb", ["@@", "-b", "+c"], "a\nc"),
        ("a\nb", ["@@", " b", "+c"], "a\nb\nc"),
        ("a\r\nb\r\nc\r\n", ["@@", " a", "-b", "+B", "+BB"], "a\r\nB\r\nBB\r\nc\r\n"),
        ("a\r\nb", ["@@", "-b", "+B", "+C"], "a\r\nB\r\nC"),
        ("a\r\nb\nc\n", ["@@", "-b", "+B"], "a\r\nB\nc\n"),
        ("a\nb\r", ["@@", "-a", "+z"], "z\nb\r"),
        ("a\n\n\n", ["@@", "-a", "+z"], "z\n\n\n"),
        ("", ["@@", "+a"], "a\n"),
        ("\ufeffa\nb\n", ["@@", "-a", "+z"], "\ufeffz\nb\n"),
        ("a\n", ["@@", "-a"], ""),
        ("a\x0cb\u2028c\nd\n", ["@@", "-d", "+e"], "a\x0cb\u2028c\ne\n"),
        ("x = 1\ny = 2\n", ["@@ -1,2 +1,2 @@", " x = 1", "-y = 2", "+y = 3"], "x = 1\ny = 3\n"),
    ],
)
async def test_a_hunk_changes_its_lines_and_nothing_else(
    context: ToolContext, held: str, hunk: list[str], after: str
) -> None:
    (context.root / "f").write_bytes(held.encode())
    changes = await prepared(context, patch=codex("*** Update File: f", *hunk))
    assert changes == {"f": after.encode()}


async def test_bytes_that_are_no_utf8_stay(context: ToolContext) -> None:
    (context.root / "f").write_bytes(b"caf\xe9\nb\n")
    assert await prepared(context, patch=codex("*** Update File: f", "@@", "-b", "+c")) == {
        "f": b"caf\xe9\nc\n"
    }


@pytest.mark.parametrize(
    "wrap", ["```\n{}\n```", "<<'EOF'\n{}\nEOF", "\n\n{}\n\n", "```patch\n{}\n```"]
)
async def test_wrappings_of_models_are_taken_off(context: ToolContext, wrap: str) -> None:
    patch = codex("*** Update File: b.txt", "@@", "-5", "+five")
    assert "b.txt" in await prepared(context, patch=wrap.format(patch))
    assert "b.txt" in await prepared(context, patch=wrap.format(patch).replace("\n", "\r\n"))


async def test_two_parts_may_change_one_file(context: ToolContext) -> None:
    patch = codex(
        "*** Update File: b.txt", "@@", "-1", "+one",
        "*** Update File: b.txt", "@@", "-one", "+uno",
        "*** Add File: c", "+x",
        "*** Update File: c", "@@", "-x", "+y",
    )  # fmt: skip
    assert await prepared(context, patch=patch) == {
        "b.txt": b"uno\n2\n3\n4\n5\n6\n7\n8\n9\n",
        "c": b"y\n",
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["*** Update File: nope", "@@", "-a", "+b"], "no file `nope`"),
        (["*** Delete File: nope"], "no file `nope`"),
        (["*** Add File: b.txt", "+x"], "exists already"),
        (["*** Update File: b.txt", "*** Move to: src/a.py", "@@", "-1", "+2"], "exists already"),
        (["*** Update File: b.txt"], "nothing to change"),
        (["*** Update File: b.txt", "@@"], "no lines"),
        (["*** Update File: b.txt", "@@", "?x"], "begins with '\\?'"),
        (["*** Frobnicate File: b.txt"], "no file header"),
        (["+x"], "no file header"),
        ([], "changes no file"),
    ],
)
async def test_a_patch_that_does_not_fit_says_why(
    context: ToolContext, lines: list[str], said: str
) -> None:
    with pytest.raises(ToolFault, match=said):
        await prepared(context, patch=codex(*lines))


async def test_a_patch_that_was_cut_off_is_not_applied(context: ToolContext) -> None:
    with pytest.raises(ToolFault, match="End Patch"):
        await prepared(context, patch="*** Begin Patch\n*** Delete File: b.txt")


async def test_a_hunk_without_a_place_is_named_with_the_nearest(context: ToolContext) -> None:
    patch = codex(
        "*** Update File: b.txt", "@@", "-1", "+one",
        "@@", " 6", "-seven", " 8", "+x",
    )  # fmt: skip
    with pytest.raises(ToolFault) as caught:
        await prepared(context, patch=patch)
    said = str(caught.value)
    assert "hunk 2 of 2 for `b.txt`" in said
    assert "this line is not in the file: seven" in said
    assert "lines 6-8" in said
    assert (context.root / "b.txt").read_text().startswith("1\n")


async def test_the_nearest_place_of_a_misspelled_line_is_found(context: ToolContext) -> None:
    patch = codex("*** Update File: src/a.py", "@@", "-clas Two():", "+class Three:")
    with pytest.raises(ToolFault, match=r"(?s)nearest place.*class Two"):
        await prepared(context, patch=patch)


async def test_one_part_that_does_not_fit_refuses_all(context: ToolContext) -> None:
    patch = codex("*** Add File: new", "+x", "*** Update File: b.txt", "@@", "-nope", "+y")
    with pytest.raises(ToolFault):
        await apply(await prepare_patch(ApplyPatch(patch=patch), context), context)
    assert not (context.root / "new").exists()


# --- unified diffs ----------------------------------------------------------------------------


async def test_a_unified_diff_is_applied(context: ToolContext) -> None:
    patch = """\
diff --git a/b.txt b/b.txt
index 0000000..1111111 100644
--- a/b.txt
+++ b/b.txt
@@ -1,3 +1,3 @@ some header
 1
-2
+two
 3
@@ -8,2 +8,3 @@
 8
 9
+10
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1,2 @@
+a
+b
\\ No newline at end of file
diff --git a/src/a.py b/src/b.py
similarity index 100%
rename from src/a.py
rename to src/b.py
"""
    assert await prepared(context, patch=patch) == {
        "b.txt": b"1\ntwo\n3\n4\n5\n6\n7\n8\n9\n10\n",
        "new.txt": b"a\nb",
        "src/a.py": None,
        "src/b.py": CODE.encode(),
    }


async def test_a_unified_diff_deletes(context: ToolContext) -> None:
    numbers = "".join(f"-{n}\n" for n in range(1, 10))
    patch = f"--- a/b.txt\n+++ /dev/null\n@@ -1,9 +0,0 @@\n{numbers}"
    assert await prepared(context, patch=patch) == {"b.txt": None}
    bare = "diff --git a/b.txt b/b.txt\ndeleted file mode 100644\n"
    assert await prepared(context, patch=bare) == {"b.txt": None}


@pytest.mark.parametrize("said", ["-1\n", "-other\n", "-1\n-2\n-4\n"])
async def test_a_diff_deletes_no_file_that_holds_something_else(
    context: ToolContext, said: str
) -> None:
    patch = f"--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n{said}"
    with pytest.raises(ToolFault, match=r"holds more|no place"):
        await prepared(context, patch=patch)


@pytest.mark.parametrize(
    "mode",
    ["new file mode 120000", "new file mode 160000", "old mode 100644\nnew mode 100755"],
)
async def test_a_diff_makes_no_link_and_changes_no_mode(context: ToolContext, mode: str) -> None:
    patch = f"diff --git a/l b/l\n{mode}\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n"
    with pytest.raises(ToolFault, match=r"links and submodules|mode is not changed"):
        await prepared(context, patch=patch)


@pytest.mark.parametrize("edit", ["", "@@\n-echo 1\n+echo 2\n"])
async def test_a_moved_script_still_runs(context: ToolContext, edit: str) -> None:
    script = context.root / "run.sh"
    script.write_text("echo 1\n")
    script.chmod(0o755)
    patch = codex("*** Update File: run.sh", "*** Move to: bin/run.sh", edit)
    await apply(await prepare_patch(ApplyPatch(patch=patch), context), context)
    assert (context.root / "bin" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert not script.exists()


async def test_counts_and_numbers_of_a_diff_may_be_wrong(context: ToolContext) -> None:
    patch = "--- b.txt\n+++ b.txt\n@@ -40,7 +41,9 @@\n 4\n-5\n+five\n 6\n"
    assert (await prepared(context, patch=patch))["b.txt"] == b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n"


async def test_of_equal_places_the_numbered_one_is_taken(context: ToolContext) -> None:
    (context.root / "f").write_text("x\ny\n" * 10)
    patch = "--- a/f\n+++ b/f\n@@ -11,2 +11,2 @@\n x\n-y\n+z\n"
    after = (await prepared(context, patch=patch))["f"]
    assert after == ("x\ny\n" * 5 + "x\nz\n" + "x\ny\n" * 4).encode()


async def test_a_removed_line_that_looks_like_a_header_is_one_line(context: ToolContext) -> None:
    (context.root / "q.sql").write_text("-- a\nb\n")
    patch = "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- a\n+++ c\n b\n"
    assert (await prepared(context, patch=patch))["q.sql"] == b"++ c\nb\n"


async def test_a_final_newline_comes_and_goes_as_the_diff_says(context: ToolContext) -> None:
    (context.root / "f").write_text("a\nb")
    added = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    assert (await prepared(context, patch=added))["f"] == b"a\nb\n"
    (context.root / "f").write_text("a\nb\n")
    removed = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+b\n\\ No newline at end of file\n"
    assert (await prepared(context, patch=removed))["f"] == b"a\nb"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("just text", "neither"),
        ("@@ -1 +1 @@\n-1\n+2\n", "before any file"),
        ("--- a/b.txt\n+++ b/b.txt\n", "nothing to change"),
        ("--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\nnope\n", "begins with 'n'"),
        ("diff --git a/x b/x\nGIT binary patch\n", "binary"),
        ('--- "a/\\377"\n+++ "b/\\377"\n@@ -1 +1 @@\n-1\n+2\n', "cannot be read"),
    ],
)
async def test_a_diff_that_is_none_says_why(context: ToolContext, patch: str, said: str) -> None:
    with pytest.raises(ToolFault, match=said):
        await prepared(context, patch=patch)


LINES = st.lists(st.sampled_from(["a", "b", "c", "", "  x", "-- y", "@@"]), max_size=12)


@given(LINES, LINES, st.integers(0, 3))
def test_what_difflib_says_is_what_comes_out(old: list[str], new: list[str], n: int) -> None:
    if old == new or not old:
        return
    diff = "\n".join(difflib.unified_diff(old, new, "a/f", "b/f", n=n, lineterm=""))
    (one,) = hunks.read(diff)
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (old, new))
    assert hunks.lay("f", before, one.hunks) == after


@given(st.text("*-+@ \nabBeginPtchUdFl:/", max_size=120))
def test_reading_a_patch_gives_files_or_a_fault(text: str) -> None:
    for patch in (text, codex(text), f"--- a/f\n+++ b/f\n{text}"):
        try:
            files = hunks.read(patch)
        except ToolFault:
            continue
        assert files


# --- one text for another ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys", [("path", "old", "new"), ("file_path", "old_string", "new_string"),
             ("target_file", "old_str", "new_str")],
)  # fmt: skip
async def test_one_text_is_replaced_by_another(
    context: ToolContext, keys: tuple[str, str, str]
) -> None:
    said = dict(zip(keys, ("b.txt", "5\n6", "five\nsix"), strict=True))
    assert (await prepared(context, **said))["b.txt"] == b"1\n2\n3\n4\nfive\nsix\n7\n8\n9\n"


async def test_line_ends_of_the_file_are_kept_in_a_replacement(context: ToolContext) -> None:
    (context.root / "f").write_bytes(b"a\r\nb\r\nc\r\n")
    after = await prepared(context, path="f", old="a\nb\n", new="x\ny\nz\n")
    assert after == {"f": b"x\r\ny\r\nz\r\nc\r\n"}


async def test_a_text_that_stands_twice_is_not_replaced_by_guess(context: ToolContext) -> None:
    said = {"path": "src/a.py", "old": 'print("Hi")', "new": "pass"}
    with pytest.raises(ToolFault, match=r"stands 2 times in `src/a\.py`: lines 3, 7"):
        await prepared(context, **said)
    after = (await prepared(context, **said, replace_all=True))["src/a.py"]
    assert after == CODE.replace('print("Hi")', "pass").encode()


async def test_a_text_that_is_not_there_is_a_fault_with_the_nearest_place(
    context: ToolContext,
) -> None:
    with pytest.raises(ToolFault, match=r"(?s)nearest place.*class Two"):
        await prepared(context, path="src/a.py", old="class Two:\n  def x", new="")


async def test_an_empty_old_text_makes_a_new_file_only(context: ToolContext) -> None:
    assert await prepared(context, path="n.txt", old="", new="x") == {"n.txt": b"x"}
    with pytest.raises(ToolFault, match="exists already"):
        await prepared(context, path="b.txt", old="", new="x")


async def test_a_replacement_by_itself_leaves_the_file_as_it_is(context: ToolContext) -> None:
    before = (context.root / "b.txt").read_bytes()
    assert await prepared(context, path="b.txt", old="5", new="5") == {"b.txt": before}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"path": "b.txt"},
        {"path": "b.txt", "old": "1"},
        {"patch": "x", "path": "b.txt"},
        {"patch": "x", "path": "b.txt", "old": "1", "new": "2"},
        {"patch": "x", "fuzz": 3},
    ],
)
async def test_arguments_of_neither_form_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApplyPatch.model_validate(said)


def test_the_schema_shows_our_names_only() -> None:
    (tool,) = PATCH_TOOLS
    shown = set(tool.arguments.model_json_schema()["properties"])
    assert shown == {"patch", "path", "old", "new", "replace_all"}


# --- what may be changed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["*** Update File: ../x", "@@", "-a", "+b"],
        ["*** Add File: /etc/x", "+x"],
        ["*** Add File: .git/hooks/pre-commit", "+x"],
        ["*** Add File: .github/workflows/x.yml", "+x"],
        ["*** Delete File: .env"],
        ["*** Update File: b.txt", "*** Move to: .git/config", "@@", "-1", "+2"],
        ["*** Update File: .git/config", "*** Move to: c.txt"],
        ["*** Add File: link/x", "+x"],
    ],
)
async def test_a_patch_changes_only_what_is_granted(context: ToolContext, lines: list[str]) -> None:
    (context.root / ".git").mkdir()
    (context.root / ".git" / "config").write_text("secret\n")
    (context.root / "link").symlink_to("src")
    with pytest.raises(Denied):
        await prepared(context, patch=codex(*lines))


async def test_what_may_be_written_but_not_read_is_not_told(context: ToolContext) -> None:
    layer = Layer("agent x", HERE, read=(), write=ALL)
    blind = ToolContext(context.root, (layer,))
    with pytest.raises(Denied) as caught:
        await prepared(blind, path="b.txt", old="nope", new="x")
    assert "5" not in str(caught.value)
    assert await prepared(blind, path="new.txt", old="", new="x") == {"new.txt": b"x"}


async def test_a_change_holds_whole_files(context: ToolContext) -> None:
    (change,) = await prepare_patch(ApplyPatch(path="b.txt", old="5", new="five"), context)
    held = (context.root / "b.txt").read_bytes()
    assert change == FileChange("b.txt", held, held.replace(b"5", b"five"))
