"""A token goes to the Hub and nowhere else: a canary is looked for in all that the program writes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub_server import HubServer, Request, Token
from hub_server.answers import Answer, Refused

from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import NOBODY, Account, whoami
from seg_demo.hub.client import Client
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
from seg_demo.hub.remote import list_remote, look_at, look_if_there
from seg_demo.hub.repo import Repo
from seg_demo.hub.sync import diff, status, verify
from seg_demo.hub.trouble import LONGEST, said

CANARY = "hf_canaryQWERTYasdfgh+ZXCVBN/0123456789"  # with letters that an address writes in another way
SIGNED_IN = "hf_oauth_eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnLW5hdHVyZQ-_canaryRST"
ROOT = Path(__file__).resolve().parent.parent


def forms(token: str) -> set[bytes]:
    """A token as it may be written: in an address, in hex, in base64 at each place it can have there, and its end."""
    plain = token.encode()
    found = {plain, quote(token, safe="").encode(), plain.hex().encode(), plain[::-1], token.split("_", 1)[1].encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + plain)[4:-4])
    return found


FORMS = forms(CANARY) | forms(SIGNED_IN)


def leaks(content: bytes | str) -> list[bytes]:
    content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return [form for form in FORMS if form in content]


def files_with_leaks(roots: Iterable[Path], but: Iterable[Path] = ()) -> list[Path]:
    found = []
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and path not in but and (leaks(path.read_bytes()) or leaks(path.name)):
                found.append(path)
    return found


def requests_with_leaks(hub: HubServer) -> list[Request]:
    """Those with a token anywhere but in the header that is made for it, or to anybody but the Hub."""
    found = []
    for request in hub.requests:
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        everything = json.dumps([request.path, request.query, headers, request.body.decode("latin-1")])
        if leaks(everything) or (request.host != "hub" and "authorization" in request.headers):
            found.append(request)
    return found


def test_the_canary_is_found_where_it_is() -> None:
    for form in (CANARY, quote(CANARY, safe=""), base64.b64encode(f"Bearer {CANARY}".encode()).decode(), SIGNED_IN):
        assert leaks(f"x{form}x"), form
    assert not leaks("hf_canary")


# ---- what the Hub says


class Says(Exception):
    def __init__(self, words: str) -> None:
        super().__init__("the client's own words")
        self.server_message = words


SAID = {
    CANARY: "",
    f"Bad header Authorization: Bearer {CANARY}": "Bad header Authorization:",
    f"bearer\t{SIGNED_IN}.": "",
    f"The token {SIGNED_IN} has expired": "The token has expired",
    f"see https://cdn.example/a?X-Amz-Signature={'5' * 64}&x=1 for more": "see for more",
    "see https://cdn.example/?Signature=abc": "see https://cdn.example/",
    f"base64 {base64.b64encode(CANARY.encode()).decode()} end": "base64 end",
    f"quoted {quote(CANARY, safe='')} end": "quoted end",
    "Repository not found.\nPlease look again.": "Repository not found. Please look again",
    "\x1b]0;owned\x07\x1b[2Jgone\u202e": "]0;owned [2Jgone",
    "What? No.": "What? No",
}


@pytest.mark.parametrize("words", SAID, ids=range(len(SAID)))
def test_what_the_hub_says_is_passed_on_without_secrets(words: str) -> None:
    told = said(Says(words))
    assert told == (SAID[words] or "Says")
    assert not leaks(told)


def test_what_the_hub_says_is_short() -> None:
    for words in ("word " * 10**6, f"{'x ' * 100}{CANARY}", "x" * 10**7, "Bearer " * 10**5, " " * 10**7):
        begin = time.monotonic()
        told = said(Says(words))
        assert len(told) <= LONGEST and not leaks(told) and time.monotonic() - begin < 2


def test_an_account_does_not_show_its_token() -> None:
    account = Account(CANARY)
    for shown in (repr(account), str(account), f"{account}", str([account]), repr(Client(account))):
        assert not leaks(shown)


# ---- the commands, in a process of their own, beside a Hub that gives back what it gets

DRIVER = """
import sys, json, traceback
from seg_demo.hub import patience
patience.PATIENCE = patience.Patience(5.0, 2, 0.01, 0.01, 0.1)
from seg_demo.cli.main import main
for line in sys.stdin:
    try:
        code = main(json.loads(line))
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 99
    print("\\nDONE", code, flush=True)
"""

COMMANDS = {
    "push": ["hub", "push", "checkpoints/mine", "alice/mine", "--overwrite", "--tag", "v1"],
    "pull": ["hub", "pull", "alice/theirs", "--out", "checkpoints/theirs", "--replace", "--json"],
    "status": ["hub", "status"],
    "list": ["hub", "list", "--owner", "me"],
    "diff": ["hub", "diff", "checkpoints/mine", "alice/mine"],
    "verify": ["hub", "verify", "checkpoints/mine"],
    "card": ["hub", "card", "checkpoints/mine", "--repo", "alice/mine"],
}


def echo(status: int, plainly: bool = True) -> Callable[[Request, Answer], Answer]:
    """Every answer says with which header it was asked, as some proxies do."""

    def twist(request: Request, answer: Answer) -> Answer:
        header = request.headers.get("authorization", "")
        ways = [header, quote(header.removeprefix("Bearer "), safe=""), base64.b64encode(header.encode()).decode()]
        words = f"Bad header Authorization: {header}" if plainly else " ".join(reversed(ways))
        found = Refused(status, words).answer()
        return Answer(status, found.body, {**found.headers, "X-Error-Message": words, "X-Request-Id": words})

    return twist


def away(request: Request, answer: Answer) -> Answer:
    """Each file lies behind an address that opens it to everybody, and is not there."""
    return Answer(302, b"", {"Location": f"http://127.0.0.1:9/file?token={CANARY}&Signature={CANARY}"})


def told_in_json(request: Request, answer: Answer) -> Answer:
    """200, and JSON of another form that holds what was sent."""
    return Answer(200, json.dumps({"error": request.headers}).encode())


TROUBLE: dict[str, Callable[[HubServer], object]] = {
    "none": lambda hub: None,
    "401": lambda hub: setattr(hub, "twist", echo(401)),
    "403": lambda hub: setattr(hub, "twist", echo(403)),
    "400": lambda hub: setattr(hub, "twist", echo(400)),
    "422, in other letters": lambda hub: setattr(hub, "twist", echo(422, plainly=False)),
    "500 for ever": lambda hub: setattr(hub, "twist", echo(500)),
    "redirects": lambda hub: setattr(hub, "twist", away),
    "garbage": lambda hub: setattr(hub, "twist", told_in_json),
    "cut": lambda hub: [hub.fail(name, "cut", times=None) for name in ("info", "list", "whoami", "commit", "resolve")],
}


class Victim:
    """A process that carries out one command after the other."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        for name in ("cwd", "home", "tmp", "hf"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.out, self.err = (root / "stdout.txt").open("w+b"), (root / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], cwd=root / "cwd", stdin=subprocess.PIPE,
            stdout=self.out, stderr=self.err, text=False,
            env={
                "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(root / "home"),
                "TMPDIR": str(root / "tmp"), "SEG_DEMO_HOME": str(root / "home"), "HF_HOME": str(root / "hf"),
                "PYTHONWARNINGS": "default", **environment,
            },
        )  # fmt: skip
        self.commands = 0

    def run(self, command: list[str]) -> int:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        self.commands += 1
        end = time.monotonic() + 120
        while (codes := self.codes()) is None or len(codes) < self.commands:
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < end, (command, self.errors())
            time.sleep(0.02)
        return codes[-1]

    def codes(self) -> list[int]:
        lines = Path(self.out.name).read_text("utf-8").splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("DONE ")]

    def errors(self) -> str:
        return Path(self.err.name).read_text("utf-8", "replace")

    def end(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(30)
        self.out.close()
        self.err.close()


@pytest.fixture
def prepared(hub: HubServer, tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A folder for the victim, and a repository that only alice sees; the canary is her token."""
    hub.tokens[CANARY] = Token("alice")
    hub.put("alice/theirs", tiny_checkpoint, private=True)
    root = tmp_path / "victim"
    shutil.copytree(tiny_checkpoint, root / "cwd/checkpoints/mine")
    return root


@pytest.mark.parametrize("where", [pytest.param("environment", marks=pytest.mark.slow), "file"])
def test_no_command_writes_a_token_anywhere(where: str, hub: HubServer, prepared: Path, tmp_path: Path) -> None:
    kept = prepared / "hf/token"
    kept.parent.mkdir(parents=True)
    if where == "file":
        kept.write_text(CANARY)
    victim = Victim(prepared, {**hub.environment, **({"HF_TOKEN": CANARY} if where == "environment" else {})})
    usual = hub.twist
    some = TROUBLE if where == "environment" else ("none", "400")
    try:
        for trouble in some:
            TROUBLE[trouble](hub)
            for name, command in COMMANDS.items():
                code = victim.run(command)
                assert code in ((0,) if trouble == "none" or name == "card" else (0, 1)), (
                    trouble,
                    name,
                    victim.errors(),
                )
            hub.twist = usual
            hub.faults.clear()
    finally:
        victim.end()
    assert "Traceback" not in victim.errors()
    assert {CANARY} == hub.tokens_seen, "the canary is what the Hub was asked with, or nothing was tested"
    assert files_with_leaks([prepared, tmp_path / "hub-server", tmp_path / "hub-home"], but=[kept]) == []
    assert requests_with_leaks(hub) == []
    for repo in ("alice/mine", "alice/theirs"):
        assert not any(map(leaks, hub.files(repo).values()))


# ---- in whose name


Call = Callable[[HubServer, Path, Account], Any]
CALLS: dict[str, Call] = {
    "whoami": lambda hub, folder, account: whoami(account),
    "look_at": lambda hub, folder, account: look_at(Repo.parse("alice/open"), Client(account)),
    "look_if_there": lambda hub, folder, account: look_if_there(Repo.parse("alice/closed"), Client(account)),
    "list_remote": lambda hub, folder, account: list_remote(Client(account), foreign=True),
    "status": lambda hub, folder, account: status([folder], account, owner="alice"),
    "diff": lambda hub, folder, account: diff(folder, "alice/open", account),
    "verify": lambda hub, folder, account: verify(folder, account),
    "pull": lambda hub, folder, account: pull("alice/open", folder.parent / "pulled", account=account),
    "pull what is private": lambda hub, folder, account: pull(
        "alice/closed", folder.parent / "closed", account=account
    ),
    "push": lambda hub, folder, account: push(folder, "alice/new", account=account),
    "push a pull request": lambda hub, folder, account: push(
        folder, "alice/open", account=account, pull_request=True, private=False
    ),
    "push with a tag": lambda hub, folder, account: push(folder, "bob/tagged", account=account, tag="v1"),
}


@pytest.fixture
def linked(hub: HubServer, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint that is linked to a repository, on a server that has tokens of its own, three times over."""
    monkeypatch.setattr(patience, "PATIENCE", patience.Patience(5.0, 2, 0.01, 0.01, 0.1))
    hub.put("alice/open", tiny_checkpoint)
    hub.put("alice/closed", tiny_checkpoint, private=True)
    folder = pull("alice/open", tmp_path / "checkpoints/linked", account=NOBODY).folder
    hub.tokens[CANARY] = Token("alice")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.delenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", raising=False)
    (tmp_path / "hub-home").mkdir(exist_ok=True)
    (tmp_path / "hub-home/token").write_text(CANARY)
    assert Account.local().token == CANARY
    hub.requests.clear()
    return folder


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("visitor", [None, "bob"])
def test_the_servers_own_token_is_never_used_for_others(
    visitor: str | None, call: str, hub: HubServer, linked: Path
) -> None:
    account = Account(hub.token(visitor)) if visitor else NOBODY
    try:
        CALLS[call](hub, linked, account)
    except UserError as error:
        assert not leaks(str(error))
    assert hub.tokens_seen <= {account.token}
    assert hub.requests or (visitor is None and call in ("whoami", "push", "push a pull request", "push with a tag"))
    assert requests_with_leaks(hub) == []
    assert ("model", "alice/new") not in hub.store.repos


def test_tokens_of_two_visitors_at_the_same_time_stay_apart(hub: HubServer, linked: Path) -> None:
    import threading

    hub.put("bob/own", hub.files("alice/open"), private=True)
    found: dict[str, list[Any]] = {"alice": [], "bob": [], "": []}

    def ask(user: str) -> None:
        account = Account(hub.token(user)) if user else NOBODY
        for _ in range(15):
            found[user].append(whoami(account))
            for repo in ("bob/own", "alice/closed"):
                there = look_if_there(Repo.parse(repo), Client(account))
                assert (there is not None) == repo.startswith(f"{user}/" if user else "nobody")

    threads = [threading.Thread(target=ask, args=(user,)) for user in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"alice": ["alice"] * 15, "bob": ["bob"] * 15, "": [""] * 15}


# ---- the page


PAGE = """
from pathlib import Path
from seg_demo.hub import patience
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.page import serve
patience.PATIENCE = patience.Patience(5.0, 2, 0.01, 0.01, 0.1)
here = Path.cwd()
serve(Library(here / "checkpoints"), "127.0.0.1", {port}, workspaces=Workspaces(here, {public}))
"""


@pytest.fixture
def page(hub: HubServer, prepared: Path) -> Iterator[Callable[..., str]]:
    """Starts the page as a process of its own, with the canary as the token of the computer; gives its address."""
    import socket
    import urllib.request

    started: list[subprocess.Popen[bytes]] = []

    def start(public: bool) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for name in ("cwd", "home", "tmp", "hf"):
            (prepared / name).mkdir(parents=True, exist_ok=True)
        (prepared / "hf/token").write_text(CANARY)
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(prepared / "home"), "HF_TOKEN": CANARY,
            "TMPDIR": str(prepared / "tmp"), "SEG_DEMO_HOME": str(prepared / "home/seg"),
            "HF_HOME": str(prepared / "hf"), "HUGGING_FACE_HUB_TOKEN": CANARY,
            "GRADIO_ANALYTICS_ENABLED": "False", **hub.environment,
        }  # fmt: skip
        code = PAGE.format(port=port, public=public)
        with (prepared / "page.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-c", code], cwd=prepared / "cwd", env=environment, stdout=log, stderr=log
                )
            )
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/config", timeout=5).read()
                return url
            except OSError:
                assert started[-1].poll() is None, (prepared / "page.log").read_text()
                time.sleep(0.2)
        raise AssertionError("the page did not start")

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


def _answers(url: str, calls: Iterable[tuple[str, tuple[Any, ...]]]) -> Iterator[str]:
    """What endpoints answer, or the words of their errors."""
    from gradio_client import Client as Program

    program = Program(url, verbose=False)
    for name, arguments in calls:
        try:
            yield json.dumps(program.predict(*arguments, api_name=name), default=str)
        except Exception as error:
            yield f"{type(error).__name__}: {error}"


ASKED: list[tuple[str, tuple[Any, ...]]] = [
    ("/checkpoints", ()),
    ("/pull", ("alice/theirs", "", False)),
    ("/pull", ("alice/shown", "shown", False)),
    ("/push", ("mine", "alice/pushed", True, "", "", "", False, False)),
]


@pytest.mark.slow
@pytest.mark.parametrize("public", [False, True], ids=["local", "public"])
def test_the_page_writes_a_token_nowhere_and_in_public_asks_without_one(
    public: bool,
    hub: HubServer,
    prepared: Path,
    page: Callable[..., str],
    tiny_checkpoint: Path,
    tmp_path: Path,
) -> None:
    import urllib.request

    hub.put("alice/shown", tiny_checkpoint)
    url = page(public)
    shown = [urllib.request.urlopen(f"{url}{path}").read() for path in ("/", "/config", "/gradio_api/info")]
    usual = hub.twist
    for trouble in ("none", "401", "400", "422, in other letters", "garbage"):
        TROUBLE[trouble](hub)
        shown += [answer.encode() for answer in _answers(url, ASKED)]
        hub.twist = usual
    assert not any(map(leaks, shown))
    if public:
        assert hub.tokens_seen == {None}, "in public, nobody who has not signed in is somebody"
        assert ("model", "alice/pushed") not in hub.store.repos
    else:
        assert CANARY in hub.tokens_seen and ("model", "alice/pushed") in hub.store.repos
    but = [prepared / "hf/token"]
    assert files_with_leaks([prepared, tmp_path / "hub-server"], but=but) == []
    assert requests_with_leaks(hub) == []
    assert "Traceback" not in (prepared / "page.log").read_text()


def test_data_sets_of_the_hub_are_only_for_the_command_line() -> None:
    """They are asked for in the name of this computer, so no name that a visitor types may lead there."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("ui", "jobs", "hub")
        for path in (ROOT / "seg_demo" / folder).rglob("*.py")
        if any(name in path.read_text("utf-8") for name in ("named_splits", "data.hub", "load_hub", "open_hub"))
    ]
    assert found == []
