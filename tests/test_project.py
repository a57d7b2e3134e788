"""The project itself: what is shipped, what is pinned, what its pages say."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import codexd
from codexd.agents import registry
from codexd.cli.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("build", "run", "dev", "demo")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, made with no network."""
    folder = tmp_path_factory.mktemp("dist")
    python("-m", "hatchling", "build", "--directory", str(folder), cwd=ROOT)
    return folder


def agent_files() -> set[str]:
    names = {path.name for path in (ROOT / "agents").iterdir()}
    assert "code-reviewer.yaml" in names
    return names


def test_the_wheel_has_the_built_in_agents_and_the_types(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"codexd/agents/built_in/{name}" for name in agent_files()} <= names
    assert {"codexd/py.typed", "codexd/cli/__init__.py"} <= names
    assert not [name for name in names if name.startswith(("daemon/", "tests/", "agents/"))]


def test_the_sdist_installs_and_has_the_built_in_agents(built: Path, tmp_path: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"agents/{name}" for name in agent_files()} | {"LICENSE", "README.md"} <= names
    pip = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    python(*pip, "--target", str(tmp_path), str(sdist), cwd=tmp_path)
    installed = {path.name for path in (tmp_path / "codexd/agents/built_in").iterdir()}
    assert installed == agent_files()


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_has_one_version_and_hashes_and_comes_from_no_address(name: str) -> None:
    written = re.sub(r"\\\n", " ", text(f"requirements/{name}.txt"))
    lines = [line for line in written.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9-]+==[^ ]+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+$", line), line
    assert "://" not in written


def pinned(name: str) -> dict[str, str]:
    return dict(
        re.findall(r"^([a-z0-9-]+)==([^ ]+)", text(f"requirements/{name}.txt"), re.MULTILINE)
    )


def test_the_pins_follow_the_project() -> None:
    groups = project()["dependency-groups"]
    wanted = {"run": project()["project"]["dependencies"], **groups}
    for group, requirements in wanted.items():
        pins = pinned(group)
        for requirement in requirements:
            name, floor = re.fullmatch(r"([a-z0-9-]+)>=([0-9.]+)", requirement).groups()  # type: ignore[union-attr]
            assert _numbers(pins[name]) >= _numbers(floor), f"{name}: make pins"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def test_development_has_the_very_packages_that_users_get() -> None:
    assert pinned("build").items() | pinned("run").items() <= pinned("dev").items()


# In pieces, so that this file may be committed.
NEEDLES = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "--index" + "-url",
    "--find" + "-links",
    "/tm" + "p/wt",
    "/tm" + "p/t/",
    "/opt/" + "wheels",
    "/opt/" + "pypi",
    "/work/" + "shared",
    "/work/" + "main",
)


def test_no_committed_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what is committed cannot be told")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            content = (ROOT / name).read_text(encoding="utf-8", errors="replace")
            assert [needle for needle in NEEDLES if needle in content] == [], name


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {codexd.__version__} " in text("CHANGELOG.md")


@pytest.mark.parametrize("name", ["README.md", "README.ja.md", "CONTRIBUTING.md"])
def test_every_make_target_on_a_page_is_one(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^ +|`)make ([a-z]+)", text(name), re.MULTILINE))
    assert named
    assert named <= targets


def test_every_target_is_declared_to_be_no_file() -> None:
    targets = re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE)
    [phony] = re.findall(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
    assert targets == phony.split()


def commands(page: str) -> list[str]:
    """The `codexd` commands that a page shows, inline or as a block."""
    pattern = r"`(codexd [^`]+)`|^    (codexd [^#\n]*?) *(?:#.*)?$"
    return [inline or block for inline, block in re.findall(pattern, text(page), re.MULTILINE)]


def test_both_readmes_show_the_same_agent_and_the_same_commands() -> None:
    def agent(page: str) -> str:
        [block] = re.findall(r"```yaml\n(.*?)```", text(page), re.DOTALL)
        return re.sub(r" +#.*", "", block)

    assert commands("README.md") == commands("README.ja.md")
    assert agent("README.md") == agent("README.ja.md")


def test_the_agent_of_the_readme_means_what_its_comments_say(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", text("README.md"), re.DOTALL)
    file = tmp_path / ".codex/agents/licences.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(block, encoding="utf-8")
    found = registry.load(tmp_path, home=tmp_path / "home")
    [entry] = (entry for entry in found.entries if entry.path == file)
    assert entry.diagnostics == ()
    agent = found.find("licences")
    assert agent.tools == ("grep", "read_file", "write_file", "report_finding", "update_plan")
    assert agent.max_tokens == 5000
    assert [grant.value for grant in agent.policy.write or ()] == ["artifacts/licences.md"]
    assert (agent.policy.net, agent.policy.exec) == ((), ())


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_every_command_on_a_page_is_a_verb_with_flags_of_its_own(page: str) -> None:
    verbs = {
        verb.name: {flag for each in verb.all_flags for flag in (each.name, each.short)}
        for verb in VERBS
    }
    for command in commands(page):
        words = command.split()[1:]
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in verbs), None)
        if name is None:
            # `codexd audit show | export | verify`, `codexd doctor` in a list
            assert {f"{words[0]} {other}" for other in words[1:] if other != "|"} <= set(verbs), (
                command
            )
        else:
            assert {word for word in words if word.startswith("-")} <= verbs[name], command


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_a_readme_is_one_screen_and_its_links_lead_somewhere(name: str) -> None:
    assert text(name).count("\n") <= 70
    for target in re.findall(r"\]\(([^)]+)\)", text(name)):
        assert (ROOT / target).exists(), target
