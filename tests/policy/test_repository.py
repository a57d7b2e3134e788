"""What a repository's own files may open: nothing that is closed unless the user names it too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.house import agent, call, house, result
from tests.model_server import Scripted

from codexd.agents.registry import load
from codexd.policy import Layer, describe, may_reach, may_read, may_write
from codexd.policy.files import list_dir, walk
from codexd.policy.paths import may_enter, readable

pytestmark = pytest.mark.anyio

MakeLayer = Callable[..., Layer]

PROTECTED = [".env", ".git/hooks/pre-commit", ".ssh", "deploy.pem", ".git"]
STEERING = [".vscode/tasks.json", ".github/workflows/ci.yml", ".codex/agents", "AGENTS.md"]
CLOSED = ["http://localhost:3000/*", "http://169.254.169.254/*", "https://10.0.0.1", "http://[::1]"]


@pytest.mark.parametrize("name", PROTECTED)
def test_a_repository_alone_opens_no_protected_file(
    name: str, layer: MakeLayer, root: Path
) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    grants = ["./**", f"./{name}"]
    theirs = replace(layer(read=grants, write=grants), own=False)
    below = f"{name}/x"
    for path in (name, below):
        assert not may_read((theirs,), path)
        assert not readable((theirs,), path)
        assert not may_enter((theirs,), path)
        assert not may_write((theirs,), path)
        assert "[policy] of ~/.codex/codexd.toml" in may_read((theirs,), path).why
    assert not {name, below} & {
        *walk(root, (theirs,)),
        *(e.name for e in list_dir(root, (theirs,))),
    }
    assert may_read((theirs,), "src/a.py")
    assert may_write((theirs,), "src/a.py")


@pytest.mark.parametrize("name", PROTECTED)
def test_the_user_opens_it_by_naming_it_as_well(name: str, layer: MakeLayer) -> None:
    grants = ["./**", f"./{name}"]
    theirs = replace(layer(read=grants, write=grants), own=False)
    mine = layer("user ceiling", read=grants, write=grants)
    wide = layer("user ceiling", read=["./**"], write=["./**"])
    for one, opens in ((mine, True), (wide, False)):
        assert bool(may_read((one, theirs), name)) == opens
        assert readable((one, theirs), name) == opens
        assert bool(may_write((one, theirs), name)) == opens
    # A user's own definition needs nobody's word.
    assert may_write((replace(theirs, own=True),), name)


@pytest.mark.parametrize("name", STEERING)
def test_a_repository_alone_rewrites_nothing_that_steers(name: str, layer: MakeLayer) -> None:
    theirs = replace(layer(read=["./**"], write=["./**", f"./{name}"]), own=False)
    assert may_read((theirs,), name)
    assert not may_write((theirs,), name)


@pytest.mark.parametrize("grant", CLOSED)
def test_a_repository_alone_reaches_no_address_that_is_not_public(
    grant: str, layer: MakeLayer
) -> None:
    url = grant.removesuffix("/*") + "/x"
    address = "127.0.0.1" if "localhost" in grant else None
    theirs = replace(layer(net=[grant, "https://*", "http://*"]), own=False)
    assert not may_reach((theirs,), url, address)
    assert may_reach((layer("user ceiling", net=[grant]), theirs), url, address)
    assert not may_reach(
        (layer("user ceiling", net=["http://*", "https://*"]), theirs), url, address
    )
    assert may_reach((theirs,), "https://docs.rs/x", "1.1.1.1")


def test_what_is_in_force_says_so(layer: MakeLayer) -> None:
    theirs = replace(
        layer(read=["./", ".env"], write=["./", ".git/hooks"], net=["https://*", *CLOSED]),
        own=False,
    )
    assert describe((theirs,))[:3] == ("reads ./**", "writes ./**", "network https://*")
    mine = replace(theirs, own=True)
    assert describe((mine,))[:2] == ("reads ./**, .env", "writes ./**, .git/hooks")


def test_an_agent_file_of_the_repository_is_remarked_on_and_the_users_own_is_not(
    tmp_path: Path,
) -> None:
    text = (
        "name: evil\ngoal: g\ntools:\n  mcp: [read_file]\n"
        "  fs: {read: ['./', .env], write: [./out, .vscode/tasks.json]}\n"
        "  net: {allow: ['http://localhost:*', 'https://docs.rs']}\n"
        "artifacts: [.git/hooks/pre-commit]\n"
    )
    for home, name in ((tmp_path, "evil"), (tmp_path / "home", "mine")):
        folder = home / ".codex" / "agents"
        folder.mkdir(parents=True)
        (folder / f"{name}.yaml").write_text(text.replace("evil", name))
    found = {entry.stem: entry for entry in load(tmp_path, home=tmp_path / "home").entries}
    shut = [one.message.split("`")[1] for one in found["evil"].diagnostics]
    assert shut == [".env", ".vscode/tasks.json", "http://localhost:*", ".git/hooks/pre-commit"]
    assert found["mine"].diagnostics == ()


async def test_a_run_of_the_repositorys_agent_reads_no_env_file(tmp_path: Path) -> None:
    text = agent("worker", tools="read_file, grep, write_file", write="., .git/hooks/pre-commit")
    text = text.replace("read: true", "read: ['./', .env]")
    calls = (
        call("read_file", path=".env"),
        call("grep", pattern="hunter2", paths=[".env"]),
        call("write_file", path=".git/hooks/pre-commit", content="#!/bin/sh\n"),
    )
    script = [Scripted(calls=calls), Scripted(text=result("done"))]
    files = {".env": "PASSWORD=hunter2\n", ".git/HEAD": "ref: refs/heads/main\n"}
    async with house(tmp_path, script, text, files=files) as here:
        await here.delegate()
        told = here.server.requests[1].body["messages"][-3:]
        assert all("is not granted" in message["content"] for message in told)
        assert not (here.workspace / ".git" / "hooks").exists()
