"""Who asks the Hub."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """An account of the Hub. token: its secret, which is never shown; None for nobody, who sees what is public.

    It is always said who asks: where nobody is named, the client of the Hub would take the login of this computer, on
    a Space that of its owner.
    """

    token: str | None = field(default=None, repr=False)

    @classmethod
    def local(cls) -> Account:
        """The login of this computer: HF_TOKEN, or what `hf auth login` has kept."""
        from huggingface_hub import get_token

        return cls(get_token())

    @property
    def credential(self) -> str | bool:
        """What the client of the Hub is given: the token, or False for nobody."""
        return self.token or False


NOBODY = Account()


def whoami(account: Account) -> str:
    """The name of its user; "" for nobody. Raises `HubError` where the Hub cannot be asked, or refuses the login."""
    from seg_demo.hub.client import Client

    if account.token is None:
        return ""
    return Client(account).ask(lambda api: _name(api.whoami()), what="the account")


def _name(answer: object) -> str:
    if not isinstance(answer, dict) or not isinstance(name := answer.get("name"), str):
        raise ValueError("its answer names nobody")
    return name
