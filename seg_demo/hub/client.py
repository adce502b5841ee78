"""The Hub as one account sees it: asked with patience, and answering in results or sentences."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from seg_demo.hub import patience
from seg_demo.hub.account import Account
from seg_demo.hub.patience import Tries
from seg_demo.hub.trouble import asked_to_wait, is_the_hubs, is_transient, told

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

Answer = TypeVar("Answer")
Thing = TypeVar("Thing")


class Failed(Exception):
    """A question that got no answer, or a bad one. error: what the client of the Hub raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Client:
    """Asks the Hub for `account`.

    alive: called often while it waits; what it raises, such as a wish to stop, ends the question at once.
    """

    def __init__(self, account: Account, alive: Callable[[], None] = lambda: None) -> None:
        _prepare()
        from huggingface_hub import HfApi

        self.account, self.alive = account, alive
        self.api = HfApi(token=account.credential, library_name="seg_demo")

    def ask(self, question: Callable[[HfApi], Answer], what: str) -> Answer:
        """`question(api)`; asked again where it may go right the next time. what: repository or file it is about.

        Raises `HubError`.
        """
        tries = Tries()
        while True:
            try:
                return self.ask_once(question)
            except Failed as failed:
                self.before_next(failed.error, what, tries)

    def ask_once(self, question: Callable[[HfApi], Answer]) -> Answer:
        """`question(api)`. Raises `Failed`."""

        def answers() -> Generator[Answer, None, None]:
            yield question(self.api)

        with contextlib.closing(self.flow(answers)) as answered:
            return next(answered)

    def flow(self, source: Callable[[], Generator[Thing, None, None]]) -> Generator[Thing, None, None]:
        """What `source` yields, which may ask the Hub; to be closed. Raises `Failed`, and whatever `alive` raises."""

        def watched() -> Generator[Thing, None, None]:
            try:
                yield from source()
            except Exception as error:
                if is_the_hubs(error):
                    raise Failed(error) from None
                raise

        self.alive()
        yield from patience.beside(watched, self.alive)

    def before_next(self, error: Exception, what: str, tries: Tries) -> None:
        """Wait until it is worth asking again; raises `HubError` where it is not."""
        pause = tries.pause(asked_to_wait(error))
        if pause is None or not is_transient(error):
            raise told(error, what, self.account.token is not None) from None
        patience.wait(pause, self.alive)
        tries.moved()

    def session(self) -> httpx2.Client:
        """For requests that the client has no call for."""
        from huggingface_hub.utils import get_session

        return get_session()

    def headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers

        return build_hf_headers(token=self.account.credential, library_name="seg_demo")


@functools.cache
def _prepare() -> None:
    """The client of the Hub takes our session, and no longer tells of each file and each try on the terminal."""
    from huggingface_hub.utils import disable_progress_bars, logging, set_client_factory

    from seg_demo.hub.session import session

    set_client_factory(session)
    logging.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
