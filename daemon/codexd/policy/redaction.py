"""Secrets out of text, once, where text enters a conversation.

Three quick looks instead of a pass of every pattern. Issued tokens are long runs of plain
characters: the runs are found by bytes, and only they meet the patterns. Assigned secrets stand
behind a word such as `password`: the words are found by bytes, and only what follows is
weighed. Then key blocks and addresses with a password. Every look is linear in the text, also in
one that was written to make it slow.

What was redacted says what it was: `[redacted: openai key]`. A secret that looks like nothing
(a password of plain words) is found only where its value is known.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias
from urllib.parse import quote

Span: TypeAlias = tuple[int, int, str]
"""Start, end, what it is."""


def redact(text: str) -> tuple[str, int]:
    """`text` without what looks like a secret, and how many were taken out."""
    return _without(text, _looked_like(text))


class Redactor:
    """`redact` that also knows some secrets by value: `{label: value}`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        # The longest first: one may hold another.
        self._known = sorted(
            (
                (spelled, label)
                for label, value in values.items()
                if len(value) >= _MIN_KNOWN
                for spelled in _spellings(value)
            ),
            key=lambda one: -len(one[0]),
        )

    def redact(self, text: str) -> tuple[str, int]:
        """As the function, with the known values taken out first.

        Halves of surrogate pairs, from the name of a file perhaps, are no text that could be sent
        or stored: they are replaced.
        """
        if not text.isascii():
            text = text.encode(errors="replace").decode()
        found = [
            (at, at + len(value), label)
            for value, label in self._known
            for at in _places(text, value)
        ]
        return _without(text, [*found, *_looked_like(text)])


def _spellings(value: str) -> set[str]:
    """The value as it stands in text, in JSON's texts and in URLs."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe=""),
    }


_MIN_KNOWN = 8
_SECRET_NAME = re.compile(
    r"(?:.*[_-])?(?:(?:\w*API|ACCESS|SECRET|PRIVATE)?_?KEYS?|\w*TOKENS?|\w*SECRETS?"
    r"|\w*PASS(?:WORD|WD|PHRASE)?|PWD|CREDENTIALS?|AUTH(?:ORIZATION)?|PAT)(?:[_-].*)?",
    re.IGNORECASE,
)


def known_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of `env` whose names say that they hold secrets, for a `Redactor`.

    A path or a socket (`SSH_AUTH_SOCK`), an address and a plain word (`AUTH=disabled`) are none.
    """
    return {
        name: value
        for name, value in env.items()
        if _SECRET_NAME.fullmatch(name)
        and len(value) >= _MIN_KNOWN
        and not re.match(r"/|[.~]{1,2}/|[a-z]+://[^@]*$", value)
        and (len(value) >= _SURELY_NO_WORD or not value.isalpha())
    }


_SURELY_NO_WORD = 16


def _looked_like(text: str) -> list[Span]:
    # One byte a character, so that places in the bytes are places in the text.
    raw = text.encode("latin-1", "replace")
    low = raw.lower()
    found = [*_blocks(text), *_tokens(text, raw), *_assigned(text, low), *_addresses(text)]
    return sorted(found)


def _without(text: str, spans: list[Span]) -> tuple[str, int]:
    """`text` with the spans replaced; one that overlaps an earlier one widens it."""
    if not spans:
        return text, 0
    merged: list[Span] = []
    # Of two that begin alike the first listed names it: known values, then patterns.
    for start, end, label in sorted(spans, key=lambda span: span[0]):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, label))
    pieces: list[str] = []
    at = 0
    for start, end, label in merged:
        pieces += (text[at:start], f"[redacted: {label}]")
        at = end
    return "".join((*pieces, text[at:])), len(merged)


def _places(text: str, value: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + len(value))


# --- issued tokens --------------------------------------------------------------------------

_TOKENS: tuple[tuple[str, str], ...] = (
    ("anthropic key", r"sk-ant-[\w-]{20,}"),
    ("openrouter key", r"sk-or-v1-[0-9a-f]{32,}"),
    ("openai key", r"sk-(?:proj|svcacct|admin|None)-[\w-]{20,}"),
    ("openai key", r"sk-[A-Za-z0-9]{32,}"),
    ("github token", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    ("github token", r"github_pat_[A-Za-z0-9_]{36,}"),
    ("gitlab token", r"gl(?:pat|ptt|dt|rt|soat|ft|cbt)-[\w-]{20,}"),
    ("aws key id", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("google key", r"AIza[\w-]{35}"),
    ("google client secret", r"GOCSPX-[\w-]{20,}"),
    ("google token", r"ya29\.[\w-]{20,}"),
    ("slack token", r"xox[abeoprs]-[A-Za-z0-9-]{16,}"),
    ("slack token", r"xapp-\d-[A-Za-z0-9-]{20,}"),
    ("stripe key", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("stripe key", r"whsec_[A-Za-z0-9]{24,}"),
    ("npm token", r"npm_[A-Za-z0-9]{36}"),
    ("pypi token", r"pypi-AgE[\w-]{50,}"),
    ("hugging face token", r"hf_[A-Za-z0-9]{30,}"),
    ("sendgrid key", r"SG\.[\w-]{22}\.[\w-]{43}"),
    ("twilio key", r"SK[0-9a-f]{32}(?![0-9a-f])"),
    ("telegram token", r"(?<!\d)\d{8,10}:AA[\w-]{33}"),
    ("mailgun key", r"key-[0-9a-f]{32}(?![0-9a-f])"),
    ("digitalocean token", r"do[opr]_v1_[0-9a-f]{64}"),
    ("shopify token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("groq key", r"gsk_[A-Za-z0-9]{40,}"),
    ("xai key", r"xai-[A-Za-z0-9]{40,}"),
    ("perplexity key", r"pplx-[A-Za-z0-9]{40,}"),
    ("databricks token", r"dapi[0-9a-f]{32}"),
    ("docker token", r"dckr_pat_[\w-]{20,}"),
    ("vault token", r"hv[bs]\.[\w-]{24,}"),
    ("grafana token", r"gl(?:sa|c)_[\w-]{32,}"),
    ("linear key", r"lin_api_[A-Za-z0-9]{32,}"),
    ("replicate token", r"r8_[A-Za-z0-9]{36,}"),
    ("age key", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("azure secret", r"(?<=[\w.~-]{3})8Q~[\w.~-]{31,}"),
    # Begins at a token's edge only (`\n` may be an escape): else a long `eyJeyJ…` were slow.
    ("jwt", r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
)
"""What issuers' tokens look like. Each holds a run of at least `_RUN` plain characters."""

_TOKEN = re.compile(
    "|".join(f"(?P<t{n}>{pattern})" for n, (_, pattern) in enumerate(_TOKENS)), re.ASCII
)
_HEAD = re.compile(
    "sk-|gh[pousr]_|github_|gl[a-z]{1,4}[-_]|A[KSBC][IC]A|AIza|GOCSPX|ya29|xox|xapp|[rs]k_|whsec_|npm_"
    r"|pypi-|hf_|SG\.|SK[0-9a-f]|\d{8}\d{0,2}:AA|key-|do[opr]_v1|shp|gsk_|xai-|pplx-|dapi|dckr_|hv[bs]\."
    "|lin_api_|r8_|AGE-|8Q~|eyJ"
)
"""How they begin: quick to look for."""
_RUN = 16
_BACK = 12
"""Characters that a token may have before its first long run (`12345678:`, `SG.`)."""

_PLAIN_BYTES = bytes(
    ord("a") if (chr(n).isalnum() and n < 128) or chr(n) in "_-" else ord(" ") for n in range(256)
)
_DIGITS = frozenset("0123456789")


def _tokens(text: str, raw: bytes) -> Iterator[Span]:
    plain = raw.translate(_PLAIN_BYTES)
    done = 0
    start = plain.find(b"a" * _RUN)
    while start >= 0:
        end = plain.find(b" ", start + _RUN)
        end = len(plain) if end < 0 else end
        # A name of letters alone, a ruler of dashes: no token is without a digit.
        if not _DIGITS.isdisjoint(text[start:end]):
            at = max(done, start - _BACK)
            while head := _HEAD.search(text, at, end):
                found = _TOKEN.match(text, head.start())
                at = found.end() if found else head.start() + 1
                if found:
                    done = at
                    yield (*found.span(), _TOKENS[int((found.lastgroup or "t0")[1:])][0])
        start = plain.find(b"a" * _RUN, max(end, done))


# --- assigned secrets -----------------------------------------------------------------------

_WORDS = (b"passw", b"pwd", b"passphrase", b"secret", b"token", b"key", b"authorization", b"bearer")
_KEYS = tuple(
    word + tie
    for word in (
        b"api", b"access", b"private", b"secret", b"auth", b"account", b"encryption", b"signing",
        b"master", b"service", b"client", b"deploy", b"app", b"subscription", b"functions",
    )
    for tie in (b"", b"_", b"-", b" ", b".")
)  # fmt: skip
"""What makes a `key` a secret; any other is a dictionary's."""

_REST = re.compile(
    r"""[\w.-]{0,30}              # the rest of the name: `_production`
        \\?["'`]?\]?[ \t]{0,4}    # its closing quote, in JSON text an escaped one
        (?::=|=>|[:=])[ \t]{0,4}
        (?:(?P<scheme>bearer|basic|token|digest|apikey|negotiate)[ ]{1,4})?
        (?:[fbru]{0,2}(?P<quote>\\?["'`])(?P<quoted>[^\s"'`\\]{6,400})\\?["'`]
          |(?P<bare>[^\s"'`,;(){}\[\]<>\\&|]{8,400}))""",
    re.VERBOSE | re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"""[\w-]{0,20}\\?["'`]?\]?[ \t]{0,4}(?::=|=>|[:=,])[ \t]{0,4}\\?[fbru]{0,2}["'`]?
        (?:bearer|basic|token|apikey|negotiate)[ ]{1,4}(?P<bare>[\w.~+/=:-]{8,4000})""",
    re.VERBOSE | re.IGNORECASE,
)
_BEARER = re.compile(r"[ ]{1,4}(?P<bare>[\w.~+/=:-]{16,4000})")


def _assigned(text: str, low: bytes) -> Iterator[Span]:
    for word in _WORDS:
        at = low.find(word)
        while at >= 0:
            after = at + len(word)
            span = _assigned_at(text, low, word, at, after)
            if span is not None:
                yield span
                after = span[1]
            at = low.find(word, after)


def _assigned_at(text: str, low: bytes, word: bytes, at: int, after: int) -> Span | None:
    if word == b"key" and not low[max(0, at - 16) : at].endswith(_KEYS):
        return None
    if word == b"authorization" or word == b"bearer":
        found = (_AUTHORIZATION if word == b"authorization" else _BEARER).match(text, after)
        if found and _is_dense(found["bare"]):
            return (*found.span("bare"), "authorization")
        return None
    found = _REST.match(text, after)
    if found is None:
        return None
    group = "quoted" if found["quoted"] else "bare"
    value = found[group]
    follows = text[found.end() : found.end() + 1]
    is_secret = (
        _is_quoted_secret(value)
        if group == "quoted"
        else follows not in ("(", "[", "{") and _is_bare_secret(value)
    )
    if not is_secret:
        return None
    return (*found.span(group), "password" if word.startswith((b"pass", b"pwd")) else "secret")


_NO_SECRET = re.compile(
    r"""[./$<%{*@#~\[]                        # a path, a variable, a place to fill in
      | https?:// | file:
      | (?:your|my|the|some|test|dummy|fake|example|sample|change|replace|insert|enter)[-_ ]?
      | x{4,} | \.{3} | (.)\1{5,}""",
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)\w+)+|[A-Z][A-Z0-9_]*|[a-z]+(?:[-_][a-z]+)*\d{0,2}")


def _is_quoted_secret(value: str) -> bool:
    """Whether a quoted value is one: no word, no name, no place to fill in."""
    if len(value) < 8 or _NO_SECRET.match(value) or _NAME.fullmatch(value):
        return False
    has_digit = any(char.isdigit() for char in value)
    has_sign = any(not char.isalnum() and char not in "-_. " for char in value)
    return (has_digit or has_sign) and any(map(str.isalpha, value)) and _entropy(value) >= 2.75


def _is_bare_secret(value: str) -> bool:
    """Whether a value without quotes is one: in code most are names, so that it takes more."""
    value = value.rstrip(".:")
    if len(value) < 8 or _NO_SECRET.match(value) or _NAME.fullmatch(value):
        return False
    n_digits = sum(map(str.isdigit, value))
    if value.isidentifier() and (n_digits < 2 or len(value) < 12):
        return False
    has_sign = any(char in "!@#$%^*+/=~?" for char in value)
    mixed = n_digits > 0 and any(map(str.isalpha, value))
    return (mixed or (has_sign and len(value) >= 12)) and _entropy(value) >= 3.0


def _is_dense(value: str) -> bool:
    has_digit = any(map(str.isdigit, value))
    return has_digit and not _NO_SECRET.match(value) and _entropy(value) >= 2.75


def _entropy(value: str) -> float:
    """Bits a character."""
    n = len(value)
    return -sum(count / n * math.log2(count / n) for count in Counter(value).values())


# --- key blocks, addresses ------------------------------------------------------------------

_BLOCK = re.compile(
    r"""-----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----
        (?:\\[nr]|[\s"'+,])*
        (?:[A-Z][A-Za-z-]{1,20}:\ [^\n\\]{0,200}(?:\\[nr]|[\s"'+,])*){0,8}
        (?=[A-Za-z0-9+/=]{16})[A-Za-z0-9+/=\s\\"',]*
        (?:-----END\ [A-Z0-9 ]{0,60}-----)?""",
    re.VERBOSE,
)
_ADDRESS = re.compile(r"[^\s:/@\"'`<>]{0,100}:(?P<password>[^\s@/\"'`<>{}$*]{3,200})@[\w.\[-]")
_WEBHOOK = re.compile(r"hooks\.slack\.com/services/(?P<password>[\w/]{20,120})")
_SIGNATURE = re.compile(r"[A-Za-z0-9%+/=_-]{40,200}")
_PASSWORD_WORDS = frozenset(("password", "passwd", "pass", "pwd", "secret", "xxx", "port", "token"))


def _blocks(text: str) -> Iterator[Span]:
    done = 0
    for at in _places(text, "PRIVATE KEY"):
        start = text.rfind("-----BEGIN ", max(done, at - 60), at)
        found = _BLOCK.match(text, start) if start >= 0 else None
        if found:
            done = found.end()
            yield (start, done, "private key")


def _addresses(text: str) -> Iterator[Span]:
    for at in _places(text, "://"):
        found = _ADDRESS.match(text, at + 3) or _WEBHOOK.match(text, at + 3)
        if found and found["password"].lower() not in _PASSWORD_WORDS:
            yield (*found.span("password"), "password in an address")
    for at in _places(text, "sig="):
        found = _SIGNATURE.match(text, at + 4)
        if found and text[at - 1 : at] in ("?", "&", ";") and _is_dense(found[0]):
            yield (*found.span(), "signed address")
