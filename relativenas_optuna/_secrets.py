"""What must not be printed."""

from __future__ import annotations

import re

_HIDDEN = "***"
# The last @ ends the password: one in it is a mistake that must not uncover the rest.
_USER_AND_PASSWORD = re.compile(r"(:/*[^:/@]*:).*@")
_PASSWORD_OPTION = re.compile(r"([?&][^=&]*pass[^=&]*=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """A database URL, or what was meant to be one, with `***` for its password."""
    if url.startswith("sqlite"):  # has none, but perhaps a drive letter
        return url
    hidden = _USER_AND_PASSWORD.sub(rf"\1{_HIDDEN}@", url)
    return _PASSWORD_OPTION.sub(rf"\1{_HIDDEN}", hidden)
