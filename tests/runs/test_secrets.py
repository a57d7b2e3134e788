"""A secret comes neither to a model nor into what codexd keeps, by whichever way it tries.

The oracle is simple: the bytes of every file below the state folder, of every request that a
model got, and of the run as a door sees it.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.house import House, agent, call, house, result
from tests.model_server import Scripted

from codexd.errors import Rejected
from codexd.orchestrator import Delegate
from codexd.runs.view import RunView

pytestmark = pytest.mark.anyio

TOKEN = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z" * 2
PLAIN = "correct horse"
"""A secret that looks like nothing: known by its value alone."""
ODD = 'quo"te\\and slash/'
KNOWN = {"SCRIPTED_KEY": PLAIN, "DB_PASSWORD": ODD}
SECRETS = (TOKEN, PLAIN, ODD)
DONE = Scripted(text=result("done"))


@asynccontextmanager
async def kept_out(
    tmp_path: Path, script: list[Scripted], *agents: str, **more: Any
) -> AsyncGenerator[tuple[House, list[RunView]]]:
    """A house, and a list for its runs; at the end no secret is in anything that left it."""
    runs: list[RunView] = []
    provider = 'env_key = "SCRIPTED_KEY"'
    async with house(tmp_path, script, *agents, provider=provider, env=KNOWN, **more) as here:
        yield here, runs
        told = json.dumps([request.body for request in here.server.requests])
        state = here.home / ".local" / "state"
        kept = b"".join(file.read_bytes() for file in state.rglob("*") if file.is_file())
        seen = "".join(repr(run) for run in runs)
    assert kept
    for secret in SECRETS:
        spelled = json.dumps(secret)[1:-1]
        for text in (told, kept.decode("utf-8", "replace"), seen):
            assert secret not in text
            assert spelled not in text


@pytest.mark.parametrize("secret", SECRETS)
async def test_of_an_agent_file(tmp_path: Path, secret: str) -> None:
    quoted = json.dumps(secret)
    text = agent("worker", criteria=json.dumps(f"uses {secret}"))
    text += f"description: {quoted}\ninstructions: {quoted}\n"
    text += f"research_strategy: {{headers: [{{name: X-Key, value: {quoted}}}]}}\n"
    async with kept_out(tmp_path, [DONE], text) as (here, runs):
        runs.append(await here.delegate())
        assert "redacted" in json.dumps(here.server.requests[0].body)


@pytest.mark.parametrize("secret", SECRETS)
async def test_of_a_goal(tmp_path: Path, secret: str) -> None:
    async with kept_out(tmp_path, [DONE]) as (here, runs):
        runs.append(await here.delegate(goal=f"log in with {secret} now"))
        asked = Delegate(agent="worker", goal=f"log in with {secret} now")
        runs.append(await here.together(asked, asked))
        assert "redacted" in json.dumps(here.server.requests[0].body)


@pytest.mark.parametrize("secret", SECRETS)
async def test_of_the_project_rules_and_of_files(tmp_path: Path, secret: str) -> None:
    tools = "read_file, grep, codebase_search, git_log"
    looks = (
        call("read_file", path="a.txt"),
        call("grep", pattern="the word"),
        call("codebase_search", query="word"),
    )
    files = {"a.txt": f"the word is {secret}\n", "AGENTS.md": f"Say {secret} first.\n"}
    script = [Scripted(calls=looks), DONE]
    async with kept_out(tmp_path, script, agent("worker", tools=tools), files=files) as (
        here,
        runs,
    ):
        runs.append(await here.delegate())
        assert json.dumps(here.server.requests[1].body).count("redacted") >= 4


@pytest.mark.parametrize("secret", SECRETS)
async def test_of_a_file_that_a_patch_does_not_fit(tmp_path: Path, secret: str) -> None:
    patch = call("apply_patch", path="out/a.txt", old="alpha\nbeta\ngamma", new="2")
    text = agent("worker", tools="apply_patch", write="./out")
    files = {"out/a.txt": f"alpha\nthe word is {secret}\nbeta\n"}
    async with kept_out(tmp_path, [Scripted(calls=(patch,)), DONE], text, files=files) as (
        here,
        runs,
    ):
        runs.append(await here.delegate())
        told = here.server.requests[1].body["messages"][-1]["content"]
        assert "redacted" in told
        assert "read `out/a.txt` again" in told


@pytest.mark.parametrize("secret", SECRETS)
async def test_of_a_providers_refusal(tmp_path: Path, secret: str) -> None:
    refusal = Scripted(status=401, message=f"Incorrect API key provided: {secret}")
    async with kept_out(tmp_path, [refusal]) as (here, runs):
        runs.append(await here.delegate())
        assert "Incorrect API key provided" in runs[0].reason


async def test_of_a_refused_start(tmp_path: Path) -> None:
    async with kept_out(tmp_path, [DONE]) as (here, runs):
        with pytest.raises(Rejected):
            await here.delegate("nobody", goal=TOKEN)
        runs.append(await here.delegate())
