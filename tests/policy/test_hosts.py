"""URL grants against spellings, redirects of meaning, and addresses that are nobody's business."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.errors import Denied, Source
from codexd.policy import Grant, Layer, may_reach
from codexd.policy.hosts import address_allowed, rule_of, target_of, unreachable

MakeLayer = Callable[..., Layer]


@pytest.mark.parametrize(
    ("grant", "url"),
    [
        ("https://docs.rs/*", "https://docs.rs"),
        ("https://docs.rs", "https://docs.rs/serde/latest?q=1#x"),
        ("docs.rs", "https://docs.rs/serde"),
        ("https://docs.rs/*", "HTTPS://DOCS.RS./x"),
        ("https://docs.rs/*", "https://docs.rs:443/x"),
        ("https://DOCS.rs", "https://docs.rs/x"),
        ("https://example.com:8443/*", "https://example.com:8443/x"),
        ("https://example.com:*", "https://example.com:9/x"),
        ("https://*.rust-lang.org/*", "https://doc.rust-lang.org/std"),
        ("https://*.rust-lang.org/*", "https://a.b.rust-lang.org/std"),
        ("https://*", "https://anything.example/x"),
        ("http://*", "http://anything.example/x"),
        ("https://*", "https://93.184.216.34/x"),
        ("https://github.com/advisories/*", "https://github.com/advisories/GHSA-1"),
        ("https://github.com/advisories/*", "https://github.com/advisories"),
        ("https://github.com/advisories/*", "https://github.com/x/../advisories/1"),
        ("https://example.com/*/docs", "https://example.com/v1/docs/x"),
        ("http://localhost:*", "http://localhost:3000/x"),
        ("http://localhost:*", "http://127.0.0.1:3000/x"),
        ("http://localhost:*", "http://[::1]:3000/x"),
        ("https://日本.jp/*", "https://xn--wgv71a.jp/x"),
        ("https://xn--wgv71a.jp/*", "https://日本.jp/x"),
        ("https://10.0.0.5:8443", "https://10.0.0.5:8443/x"),
    ],
)
def test_a_grant_covers(grant: str, url: str, layer: MakeLayer) -> None:
    decision = may_reach((layer(net=[grant]),), url)
    assert decision, decision.why
    assert not unreachable(grant)


@pytest.mark.parametrize(
    ("grant", "url"),
    [
        ("https://docs.rs/*", "https://docs.rs.evil.com"),
        ("https://docs.rs/*", "https://evil.com/docs.rs"),
        ("https://docs.rs/*", "https://evildocs.rs/"),
        ("https://docs.rs/*", "https://sub.docs.rs/"),
        ("https://docs.rs/*", "http://docs.rs/"),
        ("https://docs.rs/*", "https://docs.rs:8443/"),
        ("https://docs.rs/*", "https://docs.rs@evil.com/"),
        ("https://docs.rs/*", "https://docs.rs:x@evil.com/"),
        ("https://docs.rs/*", "https://evil.com\\@docs.rs/"),
        ("https://docs.rs/*", "https://evil.com#@docs.rs/"),
        ("https://docs.rs/*", "https://docs.rs%2eevil.com/"),
        ("https://docs.rs/*", "https://docs.rs。evil.com/"),
        ("https://docs.rs/*", "https://docs.rs／.evil.com/"),
        ("https://docs.rs/*", "https://docs.r\u0455/"),
        ("https://docs.rs/*", "https://docs.rs\t.evil.com/"),
        ("https://docs.rs/*", " https://docs.rs/"),
        ("https://docs.rs/*", "//docs.rs/"),
        ("https://docs.rs/*", "https:docs.rs/"),
        ("https://docs.rs/*", "https:///docs.rs/"),
        ("https://docs.rs/*", "https://docs.rs:99999/"),
        ("https://docs.rs/*", "https://docs.rs:４４３/"),
        ("https://docs.rs/*", "file:///etc/passwd"),
        ("https://docs.rs/*", "ftp://docs.rs/"),
        ("https://*.rs/*", "https://docs.rs/"),
        ("https://*.docs.rs/*", "https://docs.rs/"),
        ("https://*.docs.rs/*", "https://evildocs.rs/"),
        ("https://*", "http://docs.rs/"),
        ("https://*", "https://docs.rs:8443/"),
        ("https://*", "https://localhost/"),
        ("https://*", "https://intranet/"),
        ("https://*", "https://db.internal/"),
        ("https://*", "https://127.0.0.1/"),
        ("https://*", "https://[::1]/"),
        ("https://*", "https://169.254.169.254/latest/meta-data"),
        ("http://*", "http://2130706433/"),
        ("http://*", "http://0x7f000001/"),
        ("http://*", "http://0177.0.0.1/"),
        ("http://*", "http://127.1/"),
        ("http://*", "http://[::ffff:127.0.0.1]/"),
        ("http://*", "http://[64:ff9b::7f00:1]/"),
        ("http://*", "http://[fe80::1%25eth0]/"),
        ("https://github.com/advisories/*", "https://github.com/advisories-evil"),
        ("https://github.com/advisories/*", "https://github.com/advisories/../x"),
        ("https://github.com/advisories/*", "https://github.com/advisories/%2e%2e/x"),
        ("https://github.com/advisories/*", "https://github.com/advisories/..%2fx"),
        ("https://github.com/advisories/*", "https://github.com/advisories/%252e%252e/x"),
        ("https://github.com/advisories/*", "https://github.com/advisories/..;/x"),
        ("https://example.com/*/docs", "https://example.com/a/b/docs"),
        ("http://localhost:*", "http://localhost.evil.com:3000/"),
        ("http://localhost:*", "https://localhost:3000/"),
        ("http://localhost:3000", "http://localhost:3001/"),
        ("http://localhost:*", "http://10.0.0.5:3000/"),
        ("*", "https://docs.rs/"),
    ],
)
def test_a_grant_does_not_cover(grant: str, url: str, layer: MakeLayer) -> None:
    assert not may_reach((layer(net=[grant]),), url)


@pytest.mark.parametrize(
    ("grant", "url"),
    [
        ("https://0.0.0.0", "https://0.0.0.0/x"),
        ("https://224.0.0.1/*", "https://224.0.0.1/x"),
        ("http://[ff02::1]", "http://[ff02::1]/"),
        ("http://*.localhost:8080", "http://a.localhost:8080/"),
        ("https://*.corp.internal/*", "https://a.corp.internal/x"),
        ("https://example.com/a%2Fb/*", "https://example.com/a%2Fb/c"),
        ("https://example.com/a%2fb/*", "https://example.com/a%2fb/c"),
        ("https://example.com/a/../b/*", "https://example.com/a/../b/c"),
        ("https://example.com/%7Euser/*", "https://example.com/%7Euser/c"),
        ("https://example.com/./a", "https://example.com/./a"),
    ],
)
def test_a_grant_that_nothing_is_reached_through_is_known(
    grant: str, url: str, layer: MakeLayer
) -> None:
    assert unreachable(grant)
    local = None if "local" not in url and "internal" not in url else "127.0.0.1"
    assert not may_reach((layer(net=[grant]),), url, local)


def test_nothing_is_reached_without_a_grant(layer: MakeLayer) -> None:
    assert not may_reach((layer(),), "https://docs.rs/")
    assert not may_reach((layer(net=[]),), "https://docs.rs/")


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "192.0.2.1", "198.18.0.1", "168.63.129.16", "::1", "::", "fe80::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1",
        "fe80::1%eth0", "localhost", "", "1.2.3", "0x7f000001",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str, layer: MakeLayer) -> None:
    assert not address_allowed(address, granted=False)
    assert not may_reach((layer(net=["https://*"]),), "https://docs.rs/", address)
    assert not may_reach((layer(net=["https://docs.rs/*"]),), "https://docs.rs/", address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::8.8.8.8"]
)
def test_a_public_address_is_allowed(address: str, layer: MakeLayer) -> None:
    assert address_allowed(address, granted=False)
    assert may_reach((layer(net=["https://docs.rs/*"]),), "https://docs.rs/", address)


def test_a_private_address_needs_a_grant_that_spells_it(layer: MakeLayer) -> None:
    url, address = "https://intra.corp.example/x", "10.0.0.5"
    named, spelled = "https://intra.corp.example/*", "https://10.0.0.5/*"
    assert not may_reach((layer(net=[named]),), url, address)
    assert not may_reach((layer(net=[spelled]),), url, address)
    assert may_reach((layer(net=[named, spelled]),), url, address)
    assert not may_reach((layer(net=[named, "http://10.0.0.5/*"]),), url, address)
    assert not may_reach((layer(net=[named]), layer(net=[named, spelled])), url, address)
    assert "10.0.0.5" in may_reach((layer(net=[named]),), url, address).why


def test_a_name_that_resolves_to_loopback_is_no_way_in(layer: MakeLayer) -> None:
    policy = (layer(net=["http://*", "http://localhost:*"]),)
    assert may_reach(policy, "http://localhost:3000/", "127.0.0.1")
    assert may_reach(policy, "http://localhost:3000/", "::1")
    assert not may_reach(policy, "http://localhost:3000/", "10.0.0.1")
    assert not may_reach((layer(net=["http://*"]),), "http://rebind.example/", "127.0.0.1")


def test_our_own_ports_are_never_reached(layer: MakeLayer) -> None:
    policy = (layer(net=["http://localhost:*"]),)
    assert may_reach(policy, "http://localhost:3000/", "127.0.0.1", own_ports=(7777,))
    assert not may_reach(policy, "http://localhost:7777/", "127.0.0.1", own_ports=(7777,))
    assert not may_reach(policy, "http://[::ffff:127.0.0.1]:7777/", own_ports=(7777,))


def test_nothing_grants_multicast(layer: MakeLayer) -> None:
    assert not may_reach((layer(net=["http://224.0.0.1/*"]),), "http://224.0.0.1/")


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Docs.RS.:443/a/./b/../c?q=%7e#f", "https://docs.rs/a/c?q=%7e"),
        ("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]/"),
        ("https://x.example/%7Euser/%2f", "https://x.example/~user/%2F"),
        ("https://x.example/a/..", "https://x.example/"),
        ("https://x.example/../../a", "https://x.example/a"),
    ],
)
def test_the_url_to_ask_for_is_the_one_decided_on(url: str, canonical: str) -> None:
    assert target_of(url).url == canonical
    assert target_of(canonical).url == canonical


@pytest.mark.parametrize(
    "grant", ["*", "", "https://", "ftp://x.example", "https://*.com.", "https://u@x.example",
              "https://*.10.0.0.1", "https://x.example/*a*a*a*b", "https://ex ample.com"],
)  # fmt: skip
def test_what_is_no_host_grant_is_said_to_be_none(grant: str) -> None:
    with pytest.raises(Denied):
        rule_of(grant)


LABELS = st.sampled_from(["docs", "rs", "evil", "com", "a"])
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
PORTS = st.sampled_from(["", ":443", ":8443"])


@given(HOSTS, PORTS, st.booleans(), HOSTS, PORTS)
def test_hosts_match_like_their_labels(
    grant: str, grant_port: str, wild: bool, host: str, port: str
) -> None:
    here = Source("x")
    value = f"https://{'*.' if wild else ''}{grant}{grant_port}"
    policy = (Layer("x", here, net=(Grant(value, here),)),)
    labels, wanted = host.split("."), grant.split(".")
    same = labels == wanted
    below = len(labels) > len(wanted) and labels[-len(wanted) :] == wanted
    ports = (grant_port or ":443") == (port or ":443")
    expected = ports and (below if wild else same)
    assert bool(may_reach(policy, f"https://{host}{port}/")) == expected


@given(st.text(max_size=40))
def test_taking_a_url_apart_gives_a_target_or_denies(text: str) -> None:
    for url in (text, f"https://{text}", f"https://x.example/{text}", f"http://[{text}]/"):
        try:
            target = target_of(url)
        except Denied:
            continue
        assert target_of(target.url) == target
