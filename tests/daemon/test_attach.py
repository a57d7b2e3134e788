"""How clients find the daemon, start it, and are let in or not."""

import ctypes
import json
import os
import signal
import stat
from pathlib import Path

import pytest
from tests.daemon.conftest import Site, lock_is_free, table

from codexd.config.known import KNOWN
from codexd.daemon import attach, ending, endpoint
from codexd.daemon.handshake import Refusal, is_served, judge
from codexd.errors import Refused, Unavailable
from codexd.lsp.hello import Hello


def test_the_first_client_starts_it_and_the_next_comes_to_the_same(site: Site) -> None:
    assert site.find() is None
    first, second = site.attach(), site.attach()
    assert (first.started, second.started) == (True, False)
    assert first.pid == second.pid == site.said["pid"]


def test_ten_that_come_at_once_come_to_one_daemon(site: Site) -> None:
    clients = [site.start("daemon", "start", "--json") for _ in range(10)]
    answers = [table(client.communicate(timeout=60)[0].decode()) for client in clients]
    assert len({answer["pid"] for answer in answers}) == 1
    assert sum(answer["started"] for answer in answers) == 1


def test_the_endpoint_is_for_its_owner_alone(site: Site) -> None:
    site.attach()
    place = site.place
    private = (place.endpoint, place.log, place.lock, site.said["address"])
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in private} == {0o600}  # noqa: PTH116
    assert stat.S_IMODE(Path(site.said["address"]).parent.stat().st_mode) == 0o700
    assert set(site.said) == set(endpoint.Endpoint.__slots__)


def test_the_daemon_keeps_nothing_of_its_starter(site: Site) -> None:
    pid = site.attach().pid
    proc = Path(f"/proc/{pid}")
    assert (proc / "cwd").readlink() == Path("/")
    assert os.getsid(pid) != os.getsid(0)
    open_files = {str(fd.readlink()) for fd in (proc / "fd").iterdir()}
    state = site.place.folder
    ours = ("socket:", "anon_inode:", "/dev/null", state)
    assert [name for name in open_files if not name.startswith(ours)] == []


def test_a_wrong_token_is_refused_and_says_what_to_do(site: Site) -> None:
    site.attach()
    wrong = {**site.said, "token": "0" * 64}
    Path(site.place.endpoint).write_text(json.dumps(wrong))
    with pytest.raises(Refused, match="token") as refused:
        site.find()
    assert refused.value.kind == "token"
    assert "daemon restart" in refused.value.help


@pytest.mark.parametrize("changed", [{"token": None}, {"token": 7}, {"token": "ü"}, {"door": "x"}])
def test_a_line_that_is_not_the_handshakes_is_refused(
    site: Site, changed: dict[str, object]
) -> None:
    site.attach()
    kind = "token" if "token" in changed else "protocol"
    assert json.loads(site.knock(site.hello(**changed)))["refused"] == kind


@pytest.mark.parametrize(
    "line", [b"\n", b"GET / HTTP/1.1\r\n", b"[1]\n", b"\xff\xfe\n", b"[" * 50_000 + b"\n"]
)
def test_garbage_is_refused_and_the_daemon_goes_on(site: Site, line: bytes) -> None:
    pid = site.attach().pid
    assert json.loads(site.knock(line))["refused"] == "protocol"
    assert site.attach().pid == pid


def test_a_first_line_that_never_ends_is_cut_off(site: Site) -> None:
    site.attach()
    answer = site.knock(b"x" * (attach.LONGEST_LINE + 10_000))
    assert "longer than" in json.loads(answer)["say"]


def test_a_client_that_says_nothing_is_let_go(site: Site) -> None:
    site.attach()
    assert "within 5 s" in json.loads(site.knock(b"{"))["say"]


def test_after_a_kill_the_next_client_starts_another(site: Site) -> None:
    first = site.attach()
    address = Path(site.said["address"])
    os.kill(first.pid, signal.SIGKILL)
    assert ending.until_gone(first.sock)
    assert address.is_socket()
    second = site.attach()
    assert second.started
    assert second.pid != first.pid
    assert site.talk(second).ask("hello")["door"] == "cli"


@pytest.mark.parametrize("changed", [{"boot_id": "another"}, {"host": "another"}, {"address": 7}])
def test_an_endpoint_of_another_machine_or_boot_is_replaced(
    site: Site, changed: dict[str, object]
) -> None:
    first = site.attach()
    told = {**site.said, **changed}
    os.kill(first.pid, signal.SIGKILL)
    assert ending.until_gone(first.sock)
    Path(site.place.endpoint).write_text(json.dumps(told))
    assert site.attach().started


def test_a_daemon_whose_socket_was_swept_away_is_replaced(site: Site) -> None:
    first = site.attach("status")
    Path(site.said["address"]).unlink()
    second = site.attach()
    assert second.pid != first.pid
    assert {"why": "SIGTERM"} in [line["metadata"] for line in site.log]


def test_the_clients_environment_reaches_and_is_in_no_file(site: Site) -> None:
    config = Path(site.env["HOME"]) / ".codex" / "codexd.toml"
    config.parent.mkdir()
    config.write_text('[model_providers.x]\nbase_url = "http://x"\nenv_key = "MY_VERY_OWN"\n')
    sent = {
        "MY_VERY_OWN": "s3cret-of-mine-1",
        "OPENAI_API_KEY": "s3cret-of-mine-2",
        "https_proxy": "http://me:s3cret-of-mine-3@proxy:1",
        "SSH_AUTH_SOCK": "/run/agent",
        "LC_TIME": "C",
    }
    talk = site.talk(site.attach(**sent, UNNAMED="s3cret-of-mine-4"))
    known = talk.ask("hello")["env"]
    talk.close()
    assert sent.items() <= known.items()
    assert "UNNAMED" not in known
    other = site.talk(site.attach())
    assert not other.ask("hello")["env"].keys() & {"MY_VERY_OWN", "OPENAI_API_KEY", "https_proxy"}
    environ = Path(f"/proc/{site.said['pid']}/environ").read_bytes()
    assert b"s3cret-of-mine" not in environ
    for path in Path(site.env["HOME"]).rglob("*"):
        assert not path.is_file() or b"s3cret-of-mine" not in path.read_bytes(), path


def test_the_keys_of_the_known_providers_are_sent() -> None:
    assert set(attach.KEYS) == {known.env_key for known in KNOWN.values() if known.env_key}


def _no_new_privileges() -> None:
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)


@pytest.mark.skipif(not Path("/proc/self/ns").exists(), reason="needs Linux's /proc")
def test_a_client_that_is_held_tighter_is_refused(site: Site) -> None:
    site.attach()
    # What cannot be undone is done in a child.
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        _no_new_privileges()
        try:
            site.find()
            kind = "let in"
        except Refused as refused:
            kind = refused.kind
        os.write(theirs, kind.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(ours, 100) == b"sandboxed"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("theirs", "ours", "served"),
    [(1, 1, True), (2, 2, True), (1, 2, True), (1, 3, False), (2, 1, False), (3, 1, False)],
)
def test_a_client_is_served_in_our_protocol_and_one_back(
    theirs: int, ours: int, served: bool
) -> None:
    assert is_served(theirs, ours) is served


def test_only_a_newer_client_may_have_the_daemon_retire() -> None:
    def said(protocol: int, door: str, *, retiring: bool = False) -> Hello | Refusal:
        line = json.dumps(
            {"codexd": protocol, "token": "t", "door": door, "version": "", "pid": 1, "cwd": "/",
             "env": {}}
        )  # fmt: skip
        return judge(line.encode(), token="t", ours=2, retiring=retiring)

    assert isinstance(said(3, "retire"), Hello)
    assert [said(n, "retire") for n in (1, 2)] == [
        Refusal("protocol", f"protocol {n} does not replace protocol 2") for n in (1, 2)
    ]
    refused = said(2, "cli", retiring=True)
    assert isinstance(refused, Refusal)
    assert refused.kind == "retiring"
    assert isinstance(said(9, "status", retiring=True), Hello)


def test_a_newer_client_has_the_daemon_replaced(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = site.attach("status")
    with monkeypatch.context() as newer:
        newer.setattr(attach, "PROTOCOL", 2)
        with pytest.raises(Refused, match="speaks protocol 1"):
            site.find()
        # The one that takes over is as old here, since the program is; it was started, though.
        with pytest.raises(Refused):
            site.attach()
    assert site.said["pid"] != first.pid
    assert {"why": "retired"} in [line["metadata"] for line in site.log]


def test_two_state_homes_of_one_workspace_have_two_daemons(site: Site, tmp_path: Path) -> None:
    other = Site(site.folder, {**site.env, "XDG_STATE_HOME": str(tmp_path / "other")}, site.open)
    first, second = site.attach(), other.attach()
    assert first.pid != second.pid
    assert site.said["address"] != other.said["address"]
    assert ending.end(other.place, None) == second.pid
    assert lock_is_free(other.place)


def test_a_long_runtime_folder_is_not_used(site: Site, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    path = endpoint.socket_path(site.place, {**site.env, "XDG_RUNTIME_DIR": str(long)})
    assert path.startswith(f"/tmp/codexd-{os.getuid()}/")


def test_a_socket_folder_of_somebody_else_is_not_used(site: Site, tmp_path: Path) -> None:
    runtime = tmp_path / "mine"
    runtime.mkdir()
    (runtime / "codexd").symlink_to(tmp_path)
    with pytest.raises(Unavailable, match="no folder of yours"):
        endpoint.socket_path(site.place, {**site.env, "XDG_RUNTIME_DIR": str(runtime)})


def test_a_state_folder_that_cannot_be_made_is_told(site: Site) -> None:
    Path(site.env["HOME"], ".local").write_text("a file")
    with pytest.raises(Unavailable, match=r"no daemon can be had here: .*Not a directory"):
        attach.attach(site.root, site.env, door="cli")
    Path(site.env["HOME"], ".local").unlink()


@pytest.mark.parametrize(
    "argv", [("-c", "budget"), ("-c", "default_budget=much"), ("-m", "nobody/model"), ()]
)
def test_configuration_that_cannot_be_used_begins_no_daemon(
    site: Site, argv: tuple[str, ...]
) -> None:
    if not argv:
        (site.folder / ".codex").mkdir()
        (site.folder / ".codex" / "codexd.toml").write_text("= broken")
    here = site.run("delegate", "code-reviewer", *argv, "--standalone")
    assert site.run("delegate", "code-reviewer", *argv) == here
    assert here[0] == 2
    assert site.find() is None


def test_a_daemon_that_cannot_open_the_workspace_says_why_to_who_started_it(site: Site) -> None:
    config = site.folder / ".codex" / "codexd.toml"
    config.parent.mkdir()
    config.write_text("= broken")
    with pytest.raises(Unavailable, match=r"did not start: .*codexd.toml:1:1") as told:
        site.attach()
    assert "mend the file" in told.value.help
    config.unlink()
    assert site.attach().started
