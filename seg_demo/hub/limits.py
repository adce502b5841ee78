"""What may be fetched from the Hub."""

from __future__ import annotations

from dataclasses import dataclass

MB = 10**6


@dataclass(frozen=True)
class Limits:
    """weights: bytes of a model.safetensors. document: of any other file that is read as a whole."""

    weights: int = 8000 * MB
    document: int = 1 * MB
    picture: int = 4 * MB
    pictures: int = 4

    @property
    def megabytes(self) -> int:
        return self.weights // MB


LIMITS = Limits()
