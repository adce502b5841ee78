"""In whose name the page asks the Hub: the visitor's own, and in public never that of the server."""

from __future__ import annotations

import importlib.util
import os

import gradio as gr
from gradio.utils import get_space

from seg_demo.hub.account import NOBODY, Account
from seg_demo.ui.fragment import Node, element
from seg_demo.ui.i18n import say


def can_sign_in() -> bool:
    """Whether this is a Space whose visitors may sign in; elsewhere Gradio's button is no authentication."""
    packages = all(importlib.util.find_spec(name) for name in ("authlib", "itsdangerous"))
    return bool(os.environ.get("OAUTH_CLIENT_ID") and get_space() and packages)


def account_of(public: bool, token: gr.OAuthToken | None) -> Account:
    """Who asks. token: of a visitor who has signed in; among strangers it is that or nobody."""
    if public:
        return Account(token.token) if token else NOBODY
    return Account.local()


def told_of(account: Account, who: str, public: bool, language: str) -> list[Node]:
    """Who is signed in, or how to. who: the account's name, "" where it is not known yet."""
    if account.token:
        words = say("cp_signed_in", language, who=who) if who else ""
    elif not public:
        words = say("cp_log_in", language)
    else:
        words = say("cp_sign_in_about" if can_sign_in() else "cp_nobody", language)
    return [element("p", words)] if words else []
