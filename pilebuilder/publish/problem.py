"""Failures of publishing, each with a name that scripts and tests can go by, and texts without secrets in them."""

from __future__ import annotations

import os
import re

from pilebuilder.errors import EXIT_FAILED, EXIT_USAGE, PilebuilderError

_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}\b|(?i:bearer)\s+\S+")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")
_USER = re.compile(r"(\w+://)[^/\s@]+@")
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


class PublishError(PilebuilderError):
    """Publishing (or pulling) stopped. `reason` is one word for it; the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(clean(message))
        self.reason = reason
        self.exit_code = EXIT_USAGE if reason in ("refused", "bad_name", "no_token") else EXIT_FAILED


def clean(text: str) -> str:
    """A text without tokens, without the signed part of addresses, without passwords in them.

    >>> clean("PUT https://host/a?X-Amz-Signature=1: token hf_abcdefgh12345")
    'PUT https://host/a?... token <token>'
    """
    for name in TOKEN_VARIABLES:
        value = os.environ.get(name, "").strip()
        if value:
            text = text.replace(value, "<token>")
    return _USER.sub(r"\1", _QUERY.sub(r"\1?...", _TOKEN.sub("<token>", text)))
