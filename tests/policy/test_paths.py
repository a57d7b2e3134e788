"""Path grants and protected names, against attacks and against a simple oracle."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.errors import Denied, Source
from codexd.policy import Grant, Layer, may_read, may_write
from codexd.policy.paths import covers, may_enter, normal, protected, readable, subsumes

MakeLayer = Callable[..., Layer]


@pytest.mark.parametrize(
    ("grant", "path"),
    [
        ("./artifacts", "artifacts"),
        ("./artifacts", "artifacts/deep/x.md"),
        ("artifacts/", "artifacts/x.md"),
        (".", "anything/at/all"),
        ("./**", "a"),
        ("src/**", "src/a/b.rs"),
        ("src/**/*.rs", "src/main.rs"),
        ("src/**/*.rs", "src/a/b/c.rs"),
        ("**/*.rs", "main.rs"),
        ("adrs/*.md", "adrs/001.md"),
        ("src/**/test/**", "src/test/x"),
        ("src/**/test/**", "src/a/test/b/c"),
        ("a?c", "abc"),
        ("app/[id]/page.tsx", "app/[id]/page.tsx"),
        ("artifacts/x.md", "artifacts/x.md"),
    ],
)
def test_a_grant_covers(grant: str, path: str) -> None:
    assert covers(grant, path)


@pytest.mark.parametrize(
    ("grant", "path"),
    [
        ("./artifacts", "artifacts-evil/x"),
        ("./artifacts", "artifacts.md"),
        ("./artifacts", "deep/artifacts/x"),
        ("src/**", "src"),
        ("src/**", "src2/a"),
        ("src/*", "src/a/b"),
        ("adrs/*.md", "adrs/deep/001.md"),
        ("adrs/*.md", "adrs/001.md/below"),
        ("src/**/*.rs", "src/a.rs.bak"),
        ("**/*.rs", "a.rs/b"),
        ("/etc", "etc/passwd"),
        ("../up", "up"),
        ("a/../b", "b"),
        ("~", "a"),
        ("", "a"),
        ("SRC", "src/a"),
    ],
)
def test_a_grant_does_not_cover(grant: str, path: str) -> None:
    assert not covers(grant, path)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "..",
        "a/../b",
        "a/..",
        "",
        "a\0b",
        "a\nb",
        "C:\\x",
        "C:x",
        "a\\b",
        "~/x",
        "\ud800",
    ],
)
def test_what_is_no_workspace_path_is_refused(path: str, layer: MakeLayer) -> None:
    with pytest.raises(Denied):
        normal(path)
    policy = (layer(read=["./**"], write=["./**"]),)
    assert not may_read(policy, path)
    assert not may_write(policy, path)


def test_paths_are_made_normal() -> None:
    assert normal("./a//b/./c/") == "a/b/c"
    assert normal("./") == "."


PARTS = st.sampled_from(["a", "b", "ab", "a.md", "x"])
PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
GRANTS = st.lists(
    PARTS | st.sampled_from(["*", "**", "a*", "?", "*.md"]), min_size=1, max_size=5
).map("/".join)


def oracle(grant: str, path: str) -> bool:
    """The grant as one regular expression over the whole path."""
    parts = grant.split("/")
    if not any(char in grant for char in "*?"):
        return f"{path}/".startswith(f"{grant}/")
    regex = ""
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        if part == "**":
            regex += "[^/]+(?:/[^/]+)*" if last else "(?:[^/]+/)*"
        else:
            one = "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part)
            regex += one + ("" if last else "/")
    return re.fullmatch(regex, path) is not None


@given(GRANTS, PATHS)
def test_grants_match_like_a_regular_expression(grant: str, path: str) -> None:
    assert covers(grant, path) == oracle(grant, path)


@given(GRANTS, GRANTS, PATHS)
def test_a_grant_within_another_covers_no_more(wide: str, narrow: str, path: str) -> None:
    if subsumes(wide, narrow) and covers(narrow, path):
        assert covers(wide, path)


@given(GRANTS, PATHS)
def test_folders_on_the_way_to_something_readable_may_be_entered(grant: str, path: str) -> None:
    here = Source("x")
    policy = (Layer("x", here, read=(Grant(grant, here),)),)
    assert readable(policy, path) == bool(may_read(policy, path)) == covers(grant, path)
    if covers(grant, path):
        parts = path.split("/")
        for n in range(1, len(parts)):
            assert may_enter(policy, "/".join(parts[:n]))
        assert may_enter(policy, ".")


def test_a_pattern_of_many_stars_is_not_slow() -> None:
    grant = "/".join(["**", "a"] * 40) + "/b"
    assert not covers(grant, "/".join(["a"] * 200))
    assert not covers("*a" * 60 + "b", "a" * 200)


READ_PROTECTED = [
    ".env",
    ".env.local",
    ".ENV",
    ".envrc",
    "deep/down/.env.production",
    ".npmrc",
    ".git/config",
    "sub/.git/hooks/pre-commit",
    ".Git/config",
    ".git",
    "id_rsa",
    ".ssh/config",
    "keys/id_ed25519",
    "server.pem",
    "SERVER.KEY",
    "a.p12",
    "a.pfx",
    ".netrc",
    ".pypirc",
    ".git-credentials",
    "credentials.json",
    # Spellings that a careless filesystem takes for one of the above.
    ".e\u200bnv",
    ".\ufeffenv",
    ".g\u200cit/config",
    "．env",
    ".ｇｉｔ/config",
    ".env. ",
    ".env::$DATA",
    ".git./config",
    "git~1/config",
    "ＩＤ_ＲＳＡ",
    "\u212aeys/a.\u212aey",
]


@pytest.mark.parametrize("path", READ_PROTECTED)
def test_secrets_are_closed_to_a_root_that_covers_them(path: str, layer: MakeLayer) -> None:
    policy = (layer(read=["./**", "."], write=["./**"]),)
    assert not may_read(policy, path)
    assert not may_write(policy, path)
    assert not may_read((layer(),), path)
    assert not readable(policy, path)


WRITE_PROTECTED = [
    ".codex/agents/x.yaml",
    ".claude/settings.json",
    ".cursor/rules",
    ".vscode/tasks.json",
    ".VSCode/tasks.json",
    "sub/.idea/x",
    ".devcontainer/devcontainer.json",
    ".husky/pre-commit",
    ".github/workflows/ci.yml",
    ".github/agents/mine.agent.md",
    ".github/copilot-instructions.md",
    ".GitHub/WorkFlows/ci.yml",
    ".mcp.json",
    ".pnpmfile.cjs",
    ".cargo/config.toml",
    ".cargo/config",
    ".pre-commit-config.yaml",
    "AGENTS.md",
    "agents.MD",
    "sub/CLAUDE.md",
]


@pytest.mark.parametrize("path", WRITE_PROTECTED)
def test_what_steers_tools_and_agents_is_closed_to_writing_only(
    path: str, layer: MakeLayer
) -> None:
    policy = (layer(read=["./**"], write=["./**"]),)
    assert may_read(policy, path)
    assert not may_write(policy, path)


@pytest.mark.parametrize(
    "path",
    [
        "env.py", "environment.md", "src/env", "gitignore", ".gitignore", ".gitattributes",
        ".github/CODEOWNERS", "workflows/x", "cargo/config", "monkey.py", "keyboard.py",
        "credentials/grpc.go", "README.md", "AGENTS.txt", "docs/agents.mdx",
    ],
)  # fmt: skip
def test_ordinary_names_are_not_protected(path: str) -> None:
    assert protected(path, writing=True) == 0


@pytest.mark.parametrize(
    ("grant", "path"),
    [
        ("./.env", ".env"),
        (".env.example", ".env.example"),
        ("./.git", ".git/config"),
        ("./.git/hooks/pre-commit", ".git/hooks/pre-commit"),
        (".github/workflows", ".github/workflows/ci.yml"),
        (".github/workflows/*.yml", ".github/workflows/ci.yml"),
        ("AGENTS.md", "AGENTS.md"),
        (".codex/agents/**", ".codex/agents/x.yaml"),
    ],
)
def test_a_grant_that_spells_a_protected_name_opens_it(
    grant: str, path: str, layer: MakeLayer
) -> None:
    assert may_write((layer(write=[grant]),), path)


@pytest.mark.parametrize(
    ("grant", "path"),
    [
        (".env*", ".env"),
        (".*", ".env"),
        (".g?t", ".git"),
        (".git", "sub/.git/config"),
        (".git", ".git/id_rsa"),
        (".github", ".github/workflows/ci.yml"),
        (".env", ".ENV"),
        (".env", ".env.local"),
    ],
)
def test_a_grant_that_does_not_spell_it_does_not(grant: str, path: str, layer: MakeLayer) -> None:
    assert not may_write((layer(write=[grant]),), path)


def test_a_refusal_of_a_protected_name_says_so(layer: MakeLayer) -> None:
    why = may_read((layer(read=["./**"]),), "sub/.git/config").why
    assert "`sub/.git` is protected" in why
