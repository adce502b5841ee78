"""A Hub that goes wrong, and what must hold whatever it does: cases for the tests and for benchmarks/hub_faults.py."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hub_server import HubServer

from seg_demo.checkpoint import load_checkpoint
from seg_demo.checkpoint.link import LINK_FILE, read_link
from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import Account, whoami
from seg_demo.hub.client import Client
from seg_demo.hub.files import local_file
from seg_demo.hub.patience import Patience
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
from seg_demo.hub.remote import MODEL_FILES, list_remote
from seg_demo.hub.sync import status

REPO, TAG = "alice/net", "v2"
QUICK = Patience(timeout=10.0, first_pause=0.01, longest_pause=0.02, longest_wait=1.0, in_all=60.0)
HASTY = replace(QUICK, timeout=0.6)  # with a Hub that says nothing

ASKS = {  # what is done -> the endpoints that it asks
    "push": ("info", "create", "refs", "preupload", "batch", "upload", "verify", "validate-yaml", "commit", "tag"),
    "pull request": ("info", "refs", "preupload", "batch", "upload", "validate-yaml", "commit"),
    "pull": ("info", "resolve", "cdn"),
    "whoami": ("whoami",),
    "list": ("list",),
    "status": ("list", "info"),
}
FAULTS = (500, 503, 429, "cut", "silence", "wrong bytes", "lost answer", "garbage", "stale head")
WRITES = ("preupload", "commit")  # where somebody else can be quicker


@dataclass(frozen=True)
class Case:
    """The fault at the endpoint, once or for ever, while something is done."""

    does: str
    endpoint: str
    fault: str | int
    for_ever: bool = False

    def __str__(self) -> str:
        return f"{self.does}, {self.endpoint}: {self.fault}{' for ever' if self.for_ever else ''}"


def cases(for_ever: bool) -> Iterator[Case]:
    for does, endpoints in ASKS.items():
        for endpoint in endpoints:
            for fault in FAULTS:
                if fault != "stale head" or endpoint in WRITES:
                    yield Case(does, endpoint, fault, for_ever)


@dataclass
class Outcome:
    """What became of it. told: the sentence, "" where it was done. tries: requests that went wrong. wrong: what must
    not be.
    """

    case: Case
    told: str = ""
    seconds: float = 0.0
    tries: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def survived(self) -> bool:
        return not self.told and not self.wrong


def versions(folder: Path, width: int = 4, depth: int = 2) -> tuple[Path, Path]:
    """Two untrained checkpoints of one network, with other weights."""
    import torch

    from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
    from seg_demo.classes import ClassMap
    from seg_demo.models import build_model

    made = []
    for seed, name in enumerate(("old", "new")):
        arguments = {"width": width, "depth": depth}
        config = CheckpointConfig("unet", arguments, "binary", ClassMap.of("pond", "frog"), training={"about": name})
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build_model("unet", config.num_outputs, **arguments)  # type: ignore[arg-type]
        made.append(save_checkpoint(folder / name, model, config))
    return made[0], made[1]


def content(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Bench:
    """A Hub, two versions of a checkpoint, and a place to work in.

    >>> outcome = Bench.make(hub, tmp_path).run(Case("pull", "cdn", "cut"))
    """

    hub: HubServer
    place: Path
    old: Path
    new: Path

    @classmethod
    def make(cls, hub: HubServer, place: Path) -> Bench:
        return cls(hub, place, *versions(place / "versions"))

    def __post_init__(self) -> None:
        self.account = Account(self.hub.token("alice"))
        self.checkpoints, self.scratch = self.place / "checkpoints", self.place / "scratch"

    # ---- one case

    def run(self, case: Case) -> Outcome:
        """The fault, and after it, where it was for ever, a Hub that is well again and must get its due."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(patience, "PATIENCE", HASTY if case.fault == "silence" else QUICK)
            patch.setattr(tempfile, "tempdir", str(self.scratch))
            do, check = self._prepared(case)
            self.hub.requests.clear()
            self.hub.fail(case.endpoint, case.fault, None if case.for_ever else 1, retry_after=0)
            outcome = self._tried(case, do)
            self.hub.faults.clear()
            outcome.tries = sum(request.fault is not None for request in list(self.hub.requests))
            if not outcome.tries:
                outcome.wrong.append("the fault did not come up")
            outcome.wrong += [*check(not outcome.told), *self._left(outcome)]
            if outcome.told and case.fault != "stale head":  # Somebody else's files are there from now on.
                again = self._tried(case, do)
                problems = [again.told] if again.told else [*again.wrong, *check(True), *self._left(again)]
                outcome.wrong += [f"afterwards, with a good Hub: {problem}" for problem in problems]
        return outcome

    def _tried(self, case: Case, do: Callable[[], object]) -> Outcome:
        outcome, began = Outcome(case), time.monotonic()
        try:
            do()
        except UserError as error:
            outcome.told = str(error)
            if "hf_" in outcome.told or not outcome.told.endswith("."):
                outcome.wrong.append(f"no sentence: {outcome.told}")
        except BaseException:
            outcome.wrong.append(f"traceback: {traceback.format_exc().strip().splitlines()[-1]}")
        outcome.seconds = time.monotonic() - began
        return outcome

    def _left(self, outcome: Outcome) -> Iterator[str]:
        """What must not be left anywhere."""
        done = not outcome.told
        yield from (f"left in the temporary folder: {path.name}" for path in self.scratch.iterdir())
        for path in self.checkpoints.glob(".*") if self.checkpoints.is_dir() else ():
            parts = [part.name for part in path.iterdir()] if path.is_dir() else []
            if done or path.name != ".incoming" or not all(name.endswith(".part") for name in parts):
                yield f"left among the checkpoints: {path.name} {parts}"

    # ---- what is done, and what must hold then: for done=True what was wanted, else nothing of it

    def _prepared(self, case: Case) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        for kept in list(self.hub.store.repos):
            self.hub.store.delete(self.hub.store.repos[kept])
        return {
            "push": self._push,
            "pull request": self._pull_request,
            "pull": self._pull,
            "whoami": self._whoami,
            "list": self._list,
            "status": self._status,
        }[case.does]()

    def _push(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        folder = self._checkpoint(self.new)
        before = content(folder)

        def check(done: bool) -> list[str]:
            link = read_link(folder)
            wrong = (
                [] if content(folder) | {LINK_FILE: ""} == before | {LINK_FILE: ""} else ["the checkpoint has changed"]
            )
            wrong += self._commits_are_whole()
            if not done:
                return wrong + (["linked, although it failed"] if link else [])
            repo = self.hub.repo(REPO)
            if not repo.private:
                wrong.append("it is public")
            head = repo.branches["main"]
            wrong += [f"{name} differs on the Hub" for name in MODEL_FILES if self._differs(name, head, folder)]
            if repo.tags.get(TAG) != (link and link.commit):
                wrong.append("the tag does not name the commit of the link")
            if link is None or self._differs("model.safetensors", link.commit, folder):
                wrong.append("the link does not lead to what was pushed")
            mine = [commit for commit in repo.commits.values() if commit.title == "Checkpoint net"]
            return wrong + (["pushed twice"] if len(mine) != 1 else [])

        return lambda: push(folder, REPO, account=self.account, tag=TAG), check

    def _pull_request(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        self.hub.put(REPO, self._files(self.old), private=True)
        folder = self._checkpoint(self.new)

        def check(done: bool) -> list[str]:
            repo = self.hub.repo(REPO)
            wrong = self._commits_are_whole()
            if any(commit.title == "Checkpoint net" for commit in self._history("main")):
                wrong.append("it was pushed without being merged")
            if read_link(folder):
                wrong.append("linked, although nothing is merged")
            if done and (len(repo.pulls) != 1 or self._differs("model.safetensors", repo.pulls[1].head, folder)):
                wrong.append(f"there are {len(repo.pulls)} pull requests, or it holds something else")
            return wrong

        return lambda: push(folder, REPO, account=self.account, pull_request=True), check

    def _pull(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        """The second version, over the first that came from there."""
        out = self.checkpoints / "net"
        self.hub.put(REPO, self._files(self.old), private=True)
        pull(REPO, out, account=self.account)
        before = content(out)
        self.hub.put(REPO, self._files(self.new))

        def check(done: bool) -> list[str]:
            if not done:
                return [] if content(out) == before else ["the checkpoint that was there has changed"]
            wrong = [f"{name} differs" for name in MODEL_FILES if content(out)[name] != content(self.new)[name]]
            if (link := read_link(out)) is None or link.commit != self.hub.repo(REPO).branches["main"]:
                wrong.append("the link does not name the commit")
            return wrong + self._loads(out)

        return lambda: pull(REPO, out, account=self.account), check

    def _whoami(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        found: list[str] = []
        return (
            lambda: found.append(whoami(self.account)),
            lambda done: [] if found == ["alice"] * len(found) and len(found) == done else [f"the name is {found}"],
        )

    def _list(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        self.hub.put(REPO, self._files(self.new), private=True)
        found: list[str] = []
        return (
            lambda: found.extend(each.repo for each in list_remote(Client(self.account), owner="alice")),
            lambda done: [] if found == [REPO] * done else [f"the list is {found}"],
        )

    def _status(self) -> tuple[Callable[[], object], Callable[[bool], list[str]]]:
        """One that has changed on the Hub; it is told as a sentence in the row, and is no error."""
        out = self.checkpoints / "net"
        self.hub.put(REPO, self._files(self.old), private=True)
        pull(REPO, out, account=self.account)
        self.hub.put(REPO, self._files(self.new))
        found: list[str] = []

        def ask() -> None:
            found[:] = ["an error"]
            [row] = status([out], self.account, owner="alice")
            found[:] = [row.state]
            if row.problem:
                raise row.problem

        return ask, lambda done: [] if found == ["remote newer" if done else "unknown"] else [f"the state is {found}"]

    # ---- parts of it

    def _checkpoint(self, source: Path) -> Path:
        return Path(shutil.copytree(source, self.checkpoints / "net"))

    @staticmethod
    def _files(folder: Path) -> dict[str, bytes]:
        """As a push leaves them; the card says whose they are."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        return {**files, "README.md": b"---\nlibrary_name: seg_demo\n---\n" + files["README.md"]}

    def _differs(self, name: str, revision: str, folder: Path) -> bool:
        return self.hub.files(REPO, revision).get(name) != (folder / name).read_bytes()

    def _history(self, branch: str) -> list:
        repo = self.hub.repo(REPO)
        return list(repo.history(repo.resolve(branch)))

    def _commits_are_whole(self) -> list[str]:
        """No commit may hold a model without its config, or of one version the config and of the other the weights."""
        versions = [{name: (folder / name).read_bytes() for name in MODEL_FILES} for folder in (self.old, self.new)]
        wrong = []
        for repo in self.hub.store.repos.values():
            for commit in repo.commits:
                files = self.hub.files(REPO, commit)
                held = {name: files[name] for name in MODEL_FILES if name in files}
                if held and held not in versions:
                    wrong.append(f"the commit {commit[:7]} holds files that do not belong together")
        return wrong

    @staticmethod
    def _loads(folder: Path) -> list[str]:
        try:
            load_checkpoint(folder)
        except UserError as error:
            return [f"it does not load: {error}"]
        return [] if local_file(folder / "model.safetensors").size else ["it is empty"]
