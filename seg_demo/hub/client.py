"""The Hub as one account sees it: asked with patience, and answering in results or sentences."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from seg_demo.hub import patience
from seg_demo.hub.account import Account
from seg_demo.hub.trouble import asked_to_wait, is_the_hubs, is_transient, told

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

Answer = TypeVar("Answer")


class Client:
    """Asks the Hub for `account`.

    alive: called often while it waits; what it raises, such as a wish to stop, ends the question.
    """

    def __init__(self, account: Account, alive: Callable[[], None] = lambda: None) -> None:
        _prepare()
        from huggingface_hub import HfApi

        self.account, self.alive = account, alive
        self.api = HfApi(token=account.credential, library_name="seg_demo")

    def ask(self, question: Callable[[HfApi], Answer], what: str, tries: int | None = None) -> Answer:
        """`question(api)`; asked again where it may go right the next time. what: repository or file it is about.

        Raises `HubError`.
        """
        most = tries or patience.PATIENCE.tries
        for failed in range(1, most + 1):
            self.alive()
            try:
                return question(self.api)
            except Exception as error:
                if not is_the_hubs(error):
                    raise
                self.before_next(error, what, failed, most)
        raise AssertionError("before_next raises after the last try")

    def before_next(self, error: Exception, what: str, failed: int, most: int) -> None:
        """Wait until it is worth asking again, after `failed` of `most` tries; raises `HubError` where it is not."""
        seconds = asked_to_wait(error)
        pause = patience.PATIENCE.pause(failed) if seconds is None else seconds
        if failed >= most or not is_transient(error) or pause > patience.PATIENCE.longest_wait:
            raise told(error, what, self.account.token is not None) from None
        patience.wait(pause, self.alive)

    def session(self) -> httpx2.Client:
        """For requests that the client has no call for."""
        from huggingface_hub.utils import get_session

        return get_session()

    def headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers

        return build_hf_headers(token=self.account.credential, library_name="seg_demo")


@functools.cache
def _prepare() -> None:
    """The client of the Hub waits for ever by itself, and tells of each file and each try on the terminal."""
    import httpx2
    from huggingface_hub.utils import disable_progress_bars, logging, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    def impatient() -> httpx2.Client:
        client = default_client_factory()
        client.timeout = httpx2.Timeout(patience.PATIENCE.timeout)
        return client

    set_client_factory(impatient)
    logging.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
