"""Names of repositories and revisions, checked before anything is asked of the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass

from seg_demo.errors import UserError, shorten

# What the Hub takes: letters, digits, ".", "-" and "_", not at the ends, nothing doubled, at most 96 characters.
# There is one way only to match a text, so that none takes long.
_PART = re.compile(r"[A-Za-z0-9]+(?:(?:[.-]|_+)[A-Za-z0-9]+)*")
_REVISION = re.compile(r"[A-Za-z0-9](?:[\w.+-]|/(?=[\w.+-]))*", re.ASCII)
LONGEST, LONGEST_REVISION = 96, 200
ADDRESS = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?:spaces/)?", re.IGNORECASE)


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub. revision: a branch, a tag or a commit of it, "" for the newest of its main branch.
    kind: "model" for checkpoints, "space" for pages.
    """

    owner: str
    name: str
    revision: str = ""
    kind: str = "model"

    @classmethod
    def parse(cls, text: str, kind: str = "model") -> Repo:
        """Of "OWNER/NAME" or "OWNER/NAME@REVISION", or the address of its page. Raises `UserError`.

        >>> Repo.parse("ada/newts@v1")
        Repo(owner='ada', name='newts', revision='v1', kind='model')
        """
        plain = ADDRESS.sub("", text.strip(), count=1).rstrip("/")
        name, at, revision = plain.partition("@")
        owner, slash, last = name.partition("/")
        if not slash or len(name) > LONGEST or not all(map(_is_part, (owner, last))):
            raise UserError(
                "{repo} is not the name of a repository. Write it as OWNER/NAME, in letters, digits, -, _ and single "
                "dots.",
                repo=shorten(text),
            )  # fmt: skip
        if at and not is_revision(revision):
            raise UserError(
                "{revision} is not a revision of {repo}. Name a branch, a tag or a commit.",
                revision=shorten(revision), repo=name,
            )  # fmt: skip
        return cls(owner, last, revision, kind)

    @property
    def id(self) -> str:
        """OWNER/NAME."""
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"{self.id}@{self.revision}" if self.revision else self.id


def _is_part(text: str) -> bool:
    return bool(_PART.fullmatch(text)) and ".." not in text and "--" not in text and not text.endswith(".git")


def is_revision(text: str) -> bool:
    """Whether git can call a branch or a tag so."""
    return bool(_REVISION.fullmatch(text)) and ".." not in text and len(text) <= LONGEST_REVISION


def check_tag(tag: str) -> str:
    """A name for a tag as it was typed. Raises `UserError` where it cannot be one."""
    tag = tag.strip()
    if not is_revision(tag) or "/" in tag or re.fullmatch(r"[0-9a-f]{40}", tag):
        raise UserError(
            "A version cannot be called {tag}. Use letters, digits, dots and -, as in v1.2.", tag=shorten(tag)
        )
    return tag
