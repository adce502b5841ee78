"""What goes wrong between here and the Hub, as sentences; and whether it may go right the next time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from seg_demo.errors import UserError

LONGEST = 160  # characters of what the Hub says that is passed on
MOST_READ = 4000  # of which those are taken
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses that may be another one soon
# Tokens, what follows the "?" of an address, which may be a signature that opens the file to everybody, and whatever is
# as long as a token, which may be one in other letters.
_SECRETS = re.compile(r"hf_\S+|\bBearer\s+\S+|\?\S+|\S{36,}", re.IGNORECASE)
UNEXPECTED = (TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What an answer of another form than the Hub's ends in, where it is taken apart."""


class HubError(UserError):
    """Something that the Hub refuses."""


class Unreachable(HubError):
    """There is no answer; what lies on this computer works all the same."""


class NotThere(HubError):
    """No repository, revision or file of this name, or none that this account may see."""


class Stale(HubError):
    """The repository has changed since it was looked at."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of: the client wraps what fails in an upload."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def status_of(error: BaseException) -> int | None:
    """The HTTP status that the Hub answered with, or None where there was no answer."""
    for each in chain(error):
        if (response := getattr(each, "response", None)) is not None:
            return int(response.status_code)
    return None


def is_the_hubs(error: BaseException) -> bool:
    """Whether it comes of the network or of what the Hub answered; any other is a mistake of ours, or the disk's."""
    import httpx2
    from huggingface_hub import errors

    network = (httpx2.HTTPError, httpx2.InvalidURL, errors.OfflineModeIsEnabled, errors.EntryNotFoundError)
    if any(isinstance(each, network) for each in chain(error)):
        return True
    if any(isinstance(each, OSError) for each in chain(error)):
        return False
    known = any(isinstance(each, ValueError | RuntimeError | KeyError) for each in chain(error))
    return known or any(isinstance(each, UNEXPECTED) and _in_the_client(each) for each in chain(error))


def _in_the_client(error: BaseException) -> bool:
    """Whether it was the client that failed; it takes answers to be what it expects."""
    if isinstance(error, RecursionError):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "huggingface_hub" in Path(trace.tb_frame.f_code.co_filename).parts


def not_understood(what: str) -> HubError:
    """For an answer of another form than the Hub's."""
    return HubError(
        "What the Hub answers about {what} is not understood. Try again later, or choose another repository.", what=what
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same question may be answered the next time."""
    import httpx2

    kinds = tuple(chain(error))
    status = status_of(error)
    if status is not None:
        return status in TRANSIENT
    if any(isinstance(each, httpx2.UnsupportedProtocol) for each in kinds):
        return False  # It redirects to where nobody follows.
    # An answer that is no JSON comes from a proxy, or was cut off.
    if any(isinstance(each, httpx2.TransportError | json.JSONDecodeError | UnicodeDecodeError) for each in kinds):
        return True
    # Without a cause, it says that another thread has closed the connections of both.
    return type(error) is RuntimeError and error.__cause__ is None


def asked_to_wait(error: BaseException) -> float | None:
    """Seconds that the Hub wants us to wait before the next try; None where it does not say."""
    for each in chain(error):
        headers = getattr(getattr(each, "response", None), "headers", None) or {}
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value := headers.get("Retry-After", "").strip()):
            return float(value)
        if match := re.search(r";\s*r=0\s*;\s*t=(\d{1,9})", headers.get("RateLimit", "")):
            return float(match[1])
    return None


def told(error: BaseException, what: str, signed_in: bool) -> UserError:
    """The sentence for an error of the client. what: repository or file that it is about."""
    import httpx2
    from huggingface_hub import errors

    kinds = tuple(chain(error))

    def is_a(*classes: type[BaseException]) -> bool:
        return any(isinstance(each, classes) for each in kinds)

    status = status_of(error)
    if is_a(errors.OfflineModeIsEnabled):
        return Unreachable("The Hub is not asked, because HF_HUB_OFFLINE is set. Unset it to go online.")
    if is_a(errors.GatedRepoError):
        return NotThere(
            "{what} is only for those who were granted access. Ask for it on its page of the Hub, then try again.",
            what=what,
        )
    if is_a(errors.RevisionNotFoundError):
        return NotThere("There is no such revision of {what}. Look at its page for branches and versions.", what=what)
    if is_a(errors.EntryNotFoundError):
        return NotThere("{what} is not in the repository any more. Try again.", what=what)
    if is_a(errors.RepositoryNotFoundError) or status == 404:
        if signed_in:
            return NotThere(
                "There is no repository {what} that this account may see. Check its name, and who it belongs to.",
                what=what,
            )
        return NotThere(
            "There is no public repository {what}. Check its name, or sign in where it is a private one.", what=what
        )
    if status == 401:
        return HubError(
            "The Hub does not accept the login. Log in again, with a token that has not expired: hf auth login."
        )
    if status == 403:
        return HubError(
            "This account may not do that with {what}. Take a repository of your own, or a token that may write.",
            what=what,
        )
    if status == 429:
        return Unreachable("The Hub was asked too often and wants a pause. Try again in a few minutes.")
    if status is not None and status >= 500:
        return Unreachable(
            "The Hub has trouble at the moment (it answers {status}). Try again later; what is on this computer is "
            "as it was.",
            status=status,
        )  # fmt: skip
    if is_a(httpx2.TimeoutException):
        return Unreachable("The Hub does not answer. Try again later; what is on this computer is as it was.")
    if is_a(json.JSONDecodeError, UnicodeDecodeError, httpx2.UnsupportedProtocol, httpx2.InvalidURL):
        return Unreachable("What answers is not the Hub, but perhaps a proxy. Check the network and try again.")
    if is_a(httpx2.TransportError):
        return Unreachable(
            "The Hub cannot be reached. Check the network and try again; what is on this computer works without it."
        )
    if is_a(*UNEXPECTED):
        return not_understood(what)
    reason = said(error)
    return HubError("The Hub refuses {what} ({reason}).", what=what, reason=reason)


def said(error: BaseException) -> str:
    """What the Hub said, in one line, without secrets and addresses' queries."""
    words = next((str(text) for each in chain(error) if (text := getattr(each, "server_message", None))), str(error))
    shown = "".join(letter if letter.isprintable() else " " for letter in words[:MOST_READ])
    line = " ".join(_SECRETS.sub("", shown).split()) or type(error).__name__
    return line.rstrip(".") if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
