"""The scripted server as a process of its own, as benchmarks and other processes use it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]


def test_a_process_serves_a_script_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"calls": [{"name": "f"}]}, {"text": "done", "usage": null}]')
    command = [sys.executable, "-m", "tests.model_server", "--script", str(script), "--by-turn"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            body = {"model": "m", "messages": [{"role": "assistant", "content": "x"}]}
            asked = Request(
                f"http://127.0.0.1:{port}/v1/chat/completions", data=json.dumps(body).encode()
            )
            with urlopen(asked, timeout=5) as answer:
                lines = answer.read().decode().split("\n\n")
        finally:
            process.terminate()
    assert any('"content": "done"' in line for line in lines)
    assert lines[-2] == "data: [DONE]"
