"""A Hub on 127.0.0.1 that the real huggingface_hub client talks to, and that goes wrong when a test orders it to."""

from .answers import Request
from .server import HubServer, Token
from .storage import Repo

__all__ = ["HubServer", "Repo", "Request", "Token"]
