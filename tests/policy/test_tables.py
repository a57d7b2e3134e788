"""A `[policy]` table becomes a layer, and the effective policy a line."""

from collections.abc import Callable
from typing import Any

import pytest

from codexd.errors import Source
from codexd.policy import (
    Approval,
    Layer,
    SandboxTier,
    describe,
    layer_from_table,
    may_exec,
    may_reach,
    may_read,
    may_write,
)

MakeLayer = Callable[..., Layer]


def test_a_table_becomes_a_layer_with_the_line_of_each_grant() -> None:
    table = {
        "read": True,
        "write": ["./docs", "src/**"],
        "exec": ["npm audit"],
        "net": ["https://docs.rs/*"],
        "net.subprocess": ["docs.rs"],
        "tools": ["read_file"],
        "models": ["openai/x"],
        "env": ["HOME"],
        "sandbox": "landlock",
        "approval": "on-request",
        "depth": 2,
    }
    sources = {"policy.write.1": Source("codexd.toml", 9, 3), "policy": Source("codexd.toml", 4)}
    layer, diagnostics = layer_from_table("user ceiling", table, sources)
    assert diagnostics == ()
    assert may_read((layer,), "a")
    assert may_write((layer,), "src/a").why == "`src/**` (codexd.toml:9) allows it"
    assert may_exec((layer,), ["npm", "audit"])
    assert may_reach((layer,), "https://docs.rs/")
    assert [grant.value for grant in layer.net_sub or ()] == ["docs.rs"]
    assert (layer.sandbox, layer.approval, layer.depth) == (
        SandboxTier.LANDLOCK,
        Approval.ON_REQUEST,
        2,
    )


def test_an_empty_table_limits_nothing() -> None:
    layer, diagnostics = layer_from_table("user ceiling", {}, {})
    assert diagnostics == ()
    assert layer.read is None
    assert layer.approval is None


def test_net_subprocess_may_be_written_as_toml_reads_it() -> None:
    table = {"net": {"allow": ["https://docs.rs"], "subprocess": []}}
    layer, diagnostics = layer_from_table("user ceiling", table, {})
    assert diagnostics == ()
    assert layer.net_sub == ()
    assert [grant.value for grant in layer.net or ()] == ["https://docs.rs"]


@pytest.mark.parametrize(
    ("table", "key", "field", "value"),
    [
        ({"write": "./docs"}, "policy.write", "write", ()),
        ({"write": ["../up"]}, "policy.write", "write", ()),
        ({"write": [1]}, "policy.write", "write", ()),
        ({"exec": True}, "policy.exec", "exec", ()),
        ({"net": ["ftp://x.example"]}, "policy.net", "net", ()),
        ({"sandbox": "pods"}, "policy.sandbox", "sandbox", SandboxTier.POD),
        ({"approval": "always"}, "policy.approval", "approval", Approval.NEVER),
        ({"depth": -1}, "policy.depth", "depth", 0),
        ({"depth": True}, "policy.depth", "depth", 0),
    ],
)
def test_what_cannot_be_read_allows_nothing_and_is_remarked(
    table: dict[str, Any], key: str, field: str, value: object
) -> None:
    layer, (diagnostic,) = layer_from_table("user ceiling", table, {key: Source("c.toml", 5, 2)})
    assert getattr(layer, field) == value
    assert (diagnostic.key, diagnostic.line, diagnostic.column) == (key, 5, 2)


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    _, (diagnostic,) = layer_from_table("user ceiling", {"wriet": []}, {})
    assert (diagnostic.code, diagnostic.nearest) == ("unknown-key", "write")


def test_the_effective_policy_is_one_line(layer: MakeLayer) -> None:
    policy = (layer(read=["./**"], write=["./artifacts/x.md"], net=[], exec=[]),)
    assert " · ".join(describe(policy)) == (
        "reads ./** · writes artifacts/x.md · no network · no shell"
    )


def test_the_effective_policy_is_what_every_layer_allows(layer: MakeLayer) -> None:
    policy = (
        layer("ceiling", write=["./docs", "src/**"], exec=["git", "npm"], net=["https://*"]),
        layer(
            write=["./docs/a.md", "./src/x", "./lib"],
            exec=["npm audit", "cargo"],
            net=["https://docs.rs/*", "http://localhost:*"],
            approval=Approval.NEVER,
            tools=["read_file"],
        ),
    )
    assert describe(policy) == (
        "reads ./**",
        "writes docs/a.md, src/x",
        "network https://docs.rs/*",
        "runs npm audit",
        "tools read_file",
        "approval never",
    )


def test_a_policy_that_says_nothing_reads_the_workspace_only(layer: MakeLayer) -> None:
    assert describe((layer(),)) == ("reads ./**", "writes nothing", "no network", "no shell")


def test_the_workspace_itself_has_a_name(layer: MakeLayer) -> None:
    whole = layer(read=["./"], write=["./", "./src/"])
    assert describe((whole,))[:2] == ("reads ./**", "writes ./**, src/")
