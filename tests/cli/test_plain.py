"""Runs as JSON, and files of them."""

import json
import os
from pathlib import Path

import pytest
from tests.cli.samples import GROUP

from codexd.cli.faults import Misuse
from codexd.cli.plain import check_writable, document, write_whole
from codexd.cli.text import Text


def test_a_run_is_one_document_with_plain_keys() -> None:
    read = json.loads(document(GROUP))
    child = read["children"][0]
    assert (read["agent"], child["status"], child["spent"]) == ("", "completed", 3120)
    assert child["findings"][0] == {
        "path": "bottle.py", "line": 2133, "column": 67, "end_line": None, "end_column": None,
        "severity": "error", "rule": "F821", "fix": None,
        "message": child["findings"][0]["message"],
    }  # fmt: skip
    assert child["criteria"][0] == {
        "text": "every finding names a line", "judged": "met", "evidence": "30 of 30 have one",
    }  # fmt: skip


def test_japanese_stays_readable() -> None:
    assert "完了" in document({"summary": "完了"})


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("real.json")
    write_whole(tmp_path / "link.json", "new")
    assert (tmp_path / "real.json").read_text(encoding="utf-8") == "new"
    assert (tmp_path / "link.json").is_symlink()


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "new")
        assert os.read(reader, 10) == b"new"
        assert pipe.is_fifo()
    finally:
        os.close(reader)


def test_a_full_disk_leaves_the_old_file() -> None:
    # The one device that is always full.
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), "new")


@pytest.mark.parametrize(
    ("name", "why"), [("none/out.json", "no such folder"), (".", "it is a folder")]
)
def test_a_file_that_cannot_be_is_refused_beforehand(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(Misuse) as caught:
        check_writable(f"{tmp_path}/{name}", Text("en"))
    assert why in str(caught.value)
    assert "nothing was begun" in caught.value.help
