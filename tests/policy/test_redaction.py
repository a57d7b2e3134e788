"""Secrets are taken out, ordinary source stays, and no text makes it slow."""

import json
import random
import re
import string
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.policy import redaction
from codexd.policy.redaction import Redactor, known_secrets, redact

CHANCE = random.Random(7)
ALNUM = string.ascii_letters + string.digits


def chars(n: int, alphabet: str = ALNUM) -> str:
    """`n` characters by chance, a digit and a letter among the first."""
    return "a1" + "".join(CHANCE.choices(alphabet, k=n - 2))


HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits

# Made up here, so that no scanner takes this file for a leak.
TOKENS = [
    ("anthropic key", "sk-ant-" + "api03-" + chars(40)),
    ("openrouter key", "sk-or-v1-" + chars(64, HEX)),
    ("openai key", "sk-" + chars(48)),
    ("openai key", "sk-proj-" + chars(60, ALNUM + "-_")),
    ("openai key", "sk-svcacct-" + chars(60)),
    ("github token", "ghp_" + chars(36)),
    ("github token", "ghs_" + chars(36)),
    ("github token", "github_pat_" + chars(22) + "_" + chars(59)),
    ("gitlab token", "glpat-" + chars(20)),
    ("gitlab token", "glsoat-" + chars(20)),
    ("aws key id", "AKIA" + "1" + "".join(CHANCE.choices(UPPER, k=15))),
    ("aws key id", "ASIA" + "2" + "".join(CHANCE.choices(UPPER, k=15))),
    ("google key", "AIza" + chars(35)),
    ("google client secret", "GOCSPX-" + chars(28)),
    ("google token", "ya29." + chars(60)),
    ("slack token", "xoxb-" + "123456789012-" + chars(24)),
    ("slack token", "xapp-1-" + chars(40)),
    ("stripe key", "sk_live_" + chars(24)),
    ("stripe key", "rk_test_" + chars(24)),
    ("stripe key", "whsec_" + chars(32)),
    ("npm token", "npm_" + chars(36)),
    ("pypi token", "pypi-AgEIcHlwaS5vcmc" + chars(80)),
    ("hugging face token", "hf_" + chars(34)),
    ("sendgrid key", "SG." + chars(22) + "." + chars(43)),
    ("twilio key", "SK" + "1" + "".join(CHANCE.choices(HEX, k=31))),
    ("telegram token", "123456789:AA" + chars(33)),
    ("mailgun key", "key-" + chars(32, HEX)),
    ("digitalocean token", "dop_v1_" + chars(64, HEX)),
    ("shopify token", "shpat_" + chars(32, HEX)),
    ("groq key", "gsk_" + chars(52)),
    ("xai key", "xai-" + chars(80)),
    ("perplexity key", "pplx-" + chars(48)),
    ("databricks token", "dapi" + chars(32, HEX)),
    ("docker token", "dckr_pat_" + chars(27)),
    ("vault token", "hvs." + chars(90)),
    ("grafana token", "glsa_" + chars(32) + "_1a2b3c4d"),
    ("linear key", "lin_api_" + chars(40)),
    ("replicate token", "r8_" + chars(37)),
    ("age key", "AGE-SECRET-KEY-1" + "".join(CHANCE.choices(UPPER, k=58))),
    ("jwt", ".".join(("eyJ" + chars(33), "eyJ" + chars(60), chars(43)))),
]  # fmt: skip


def test_every_kind_of_token_has_a_sample() -> None:
    known = {label for label, _ in redaction._TOKENS}  # pyright: ignore[reportPrivateUsage]
    assert known - {"azure secret"} == {label for label, _ in TOKENS}


@pytest.mark.parametrize(("label", "token"), TOKENS)
@pytest.mark.parametrize(
    "around",
    ["{}", "x = '{}'", 'curl -H "X: {}" https://x.example', "a\n{}\nb", "日本{}語", "({})"],
)
def test_an_issued_token_is_taken_out(label: str, token: str, around: str) -> None:
    assert redact(around.format(token)) == (around.format(f"[redacted: {label}]"), 1)


@pytest.mark.parametrize(("label", "token"), TOKENS)
def test_a_token_behind_an_escape_of_json_is_taken_out(label: str, token: str) -> None:
    text = json.dumps({"log": f"first\n{token}\nlast"})
    assert redact(text) == (text.replace(token, f"[redacted: {label}]"), 1)


def test_an_azure_secret_is_taken_out() -> None:
    token = "8Q~" + chars(34)
    assert token not in redact(f"client: abc{token}")[0]


KEY = "\n".join(chars(64) for _ in range(6))
BEGIN, END = "-----BEGIN {}PRIVATE KEY-----", "-----END {}PRIVATE KEY-----"


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("header", ["", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,1F\n\n"])
def test_a_key_block_is_taken_out_whole(kind: str, header: str) -> None:
    text = f"before\n{BEGIN.format(kind)}\n{header}{KEY}\n{END.format(kind)}\nafter\n"
    assert redact(text) == ("before\n[redacted: private key]\nafter\n", 1)


def test_a_key_block_in_json_or_cut_off_is_taken_out() -> None:
    text = json.dumps({"key": f"{BEGIN.format('')}\n{KEY}\n{END.format('')}\n"})
    assert KEY[:20] not in redact(text)[0]
    cut = redact(f"{BEGIN.format('RSA ')}\n{KEY[:200]}")[0]
    assert cut == "[redacted: private key]"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password = 'Str0ng!Pass'", "Str0ng!Pass"),
        ('{"password": "hunter2!hunter"}', "hunter2!hunter"),
        ('{\\"api_key\\": \\"a8f5f167f44f4964\\"}', "a8f5f167f44f4964"),
        ("DB_PASSWORD=s3cr3tP4ssw0rd", "s3cr3tP4ssw0rd"),
        ("export API_KEY=9f8e7d6c5b4a39281706", "9f8e7d6c5b4a39281706"),
        ("client_secret: q7Xw9-Zk2mN4_pL8", "q7Xw9-Zk2mN4_pL8"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
         "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY"),
        ("AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==;", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA=="),
        ("Authorization: Bearer 7f9c2ba4e88f827d616045507605853e",
         "7f9c2ba4e88f827d616045507605853e"),
        ('"Authorization": "Basic dXNlcjpwYXNzd29yZDEyMw=="', "dXNlcjpwYXNzd29yZDEyMw=="),
        ("-H 'authorization: token abcdef0123456789'", "abcdef0123456789"),
        ("postgres://admin:s3cretpw@db.example/x", "s3cretpw"),
        ("https://user:p%40ss@example.com/", "p%40ss"),
        ("Server=x;Uid=sa;Pwd=Sup3rS3cret!;", "Sup3rS3cret!"),
        ("https://hooks.slack.com/services/T0000/B0000/abcdefghij0123456789abcd",
         "T0000/B0000/abcdefghij0123456789abcd"),
        ("https://x.blob.core.windows.net/c?sv=1&sig=aGVsbG8lMkJ3b3JsZDEyMzQ1Njc4OTBhYmNkZWZnaA%3D",
         "aGVsbG8lMkJ3b3JsZDEyMzQ1Njc4OTBhYmNkZWZnaA%3D"),
        ("os.environ['AUTH_TOKEN'] = 'zx81-spectrum-48k-9'", "zx81-spectrum-48k-9"),
        ("token: `8c1d91be77aa00ff`", "8c1d91be77aa00ff"),
    ],
)  # fmt: skip
def test_an_assigned_secret_is_taken_out_and_its_name_stays(text: str, secret: str) -> None:
    found, n = redact(text)
    assert n == 1
    assert re.sub(r"\[redacted: [a-z ]+\]", secret.replace("\\", r"\\"), found) == text


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass.getpass()",
        "token = request.headers['x-token-2']",
        "token: str = ''",
        'PASSWORD = "password"',
        "password=settings.DB_PASSWORD_2",
        'api_key = "your-api-key-1234"',
        "api_key = os.environ['OPENAI_API_KEY']",
        "API_KEY=${API_KEY_2}",
        "secret: {{ vault_secret_1 }}",
        "key = 'a8f5f167f44f4964'",
        "for key in keys: secret_keys[key] = token2",
        "tokens = tokenizer.encode(text1234)",
        "https://user:password@example.com",
        "https://${USER}:${PASS}@example.com",
        "https://example.com:8080/a@b",
        "sk-learn-estimator-container-id-1",
        "class=\"sk-toggleable__label-arrow\"",
        "commit 8c1d91be77aa00ff8c1d91be77aa00ff8c1d91be",
        "sha256:" + "ab12" * 16,
        "-----BEGIN PUBLIC KEY-----\n" + KEY,
        'if text.startswith("-----BEGIN PRIVATE KEY-----"): raise ValueError(1)',
        "eyJhbGciOi is how they begin",
        "AKIAIOSFODNN7 is short",
        "password: ********",
        "password: /run/secrets/db_password_1",
        "Bearer tokens are described in RFC 6750",
        "max_tokens: 40000",
        "token_count = 123456789012",
    ],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == (text, 0)


def test_the_standard_library_stays_nearly_untouched() -> None:
    found = size = 0
    for path in sorted(Path(json.__file__).parent.parent.glob("*/*.py"))[:400]:
        if "site-packages" not in path.parts:
            text = path.read_text("utf-8", "replace")
            size += len(text)
            found += redact(text)[1]
    assert size > 1_000_000
    assert found <= 4


def test_known_values_are_taken_out_however_plain() -> None:
    redactor = Redactor({"DB_PASSWORD": "correct horse", "OTHER": "correct horse battery"})
    text = "it is correct horse battery or correct horse"
    assert redactor.redact(text) == ("it is [redacted: OTHER] or [redacted: DB_PASSWORD]", 2)


def test_a_known_value_is_taken_out_of_json_and_urls_too() -> None:
    value = 'a"b\\c d/é+'
    redactor = Redactor({"PASSWORD": value})
    for text in (value, json.dumps(value), json.dumps(value, ensure_ascii=False), quote(value, "")):
        assert redactor.redact(f"x{text}y")[0].count("[redacted: PASSWORD]") == 1


KNOWN = {"A_KEY": "correct horse battery", "B_KEY": "tr0ub4dor&3", "C_KEY": "pa$$w0rd!!"}
PIECES = st.sampled_from([token for _, token in TOKENS] + [*KNOWN.values()])
BETWEEN = st.text(
    st.sampled_from(list(" \n\t\"'`=:,;(){}[]<>日é\u202e\\/|&")), min_size=1, max_size=6
)


@given(st.lists(st.tuples(BETWEEN, PIECES), min_size=1, max_size=8), BETWEEN)
def test_whatever_stands_around_them_no_secret_is_left(
    parts: list[tuple[str, str]], end: str
) -> None:
    text = "".join(between + secret for between, secret in parts) + end
    found, n = Redactor(KNOWN).redact(text)
    assert n >= 1
    for _, secret in parts:
        assert secret not in found
    assert Redactor(KNOWN).redact(found)[0] == found


def test_a_known_value_that_is_short_or_empty_is_left_alone() -> None:
    assert Redactor({"A": "", "B": "a"}).redact("a banana") == ("a banana", 0)


def test_the_environment_tells_which_values_are_secrets() -> None:
    env = {
        "OPENAI_API_KEY": "something-plain",
        "DB_PASSWORD": "short",
        "MY_TOKEN": "ab12cd34",
        "dbpassword": "correct horse",
        "GPG_PASSPHRASE": "battery staple",
        "PATH": "/usr/bin:/bin",
        "SSH_AUTH_SOCK": "/tmp/ssh-x/agent.1",
        "HOME": "/home/somebody",
        "PWD": "/home/somebody/work",
        "GIT_AUTHOR_NAME": "Somebody Else",
        "XKB_KEYBOARD": "evdev-pc105",
        "API_KEY_MODE": "disabled",
        "TOKEN_URL": "https://auth.example/token",
        "TOKENIZERS_PARALLELISM": "false-or-so",
        "MANPATH": "local/share/man",
    }
    named = {"OPENAI_API_KEY", "MY_TOKEN", "dbpassword", "GPG_PASSPHRASE"}
    assert known_secrets(env) == {name: env[name] for name in named}


def test_redacting_twice_changes_nothing_more() -> None:
    text = "\n".join(f"password = '{token}'" for _, token in TOKENS)
    once, n = redact(text)
    assert n == len(TOKENS)
    assert redact(once) == (once, 0)


@given(st.text(max_size=200))
def test_text_without_secrets_goes_through(text: str) -> None:
    found, n = redact(text)
    assert (found == text) == (n == 0)


HOSTILE = [
    "password=", "password='", "eyJ", "eyJ1", "eyJa1.", "eyJaaaaaaaaaaa1.eyJaaaaaaaaaaa1", "sk-",
    "sk-1", "sk-ant-", "ghp_", "ghp_1", "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\nA: b\n", "PRIVATE KEY", "://", "://a:", "://a:bcd", "a1", "1",
    "a" * 20 + " ", "a1" * 10 + ".", "SG.", "SG.a1", "secret_key", "api_key=", "key", "token: ",
    "authorization: ", "bearer ", "Bearer a1", "sig=", "?sig=a1", "12345678:AA", "8Q~", "xoxb-1-",
    "\\n", "'", "=", " ", "-", "日", "password=a1B!",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_makes_it_slow(piece: str) -> None:
    def seconds(n: int) -> float:
        text = piece * (n // len(piece))
        best = 9.0
        for _ in range(3):
            start = time.thread_time()
            redact(text)
            best = min(best, time.thread_time() - start)
        return best

    # Eight times the text may take eight times as long, with much room; the square would be 64.
    small, large = seconds(20_000), seconds(160_000)
    assert large < max(24 * small, 0.02)
    assert large < 2.0
