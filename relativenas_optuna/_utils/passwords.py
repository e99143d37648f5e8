"""Hide passwords in texts that are printed."""

from __future__ import annotations

import re

_HIDDEN = "***"
# A file's name has no password, but perhaps a drive letter and an @.
_FILE = r"sqlite[+\w]*:///[^\s'\"]*"
# Any user, then all up to the last @: a password may hold @, :, / and spaces, of which a URL takes
# some only when they are encoded. MySQL writes 'user'@'host' in its messages, without a password.
_SECRET = r"(?!\*\*\*@)[\s\S]*@(?!['\"])"
_WITH_SLASHES = rf"(?P<scheme>//[^:/]*?(?::|%3A)){_SECRET}"
# Without an @, a number after the colon is a port, and anything else a password.
_PORT = r"(?P<port>//[^\s'\"`:/@[]+:)(?!\*\*\*)(?!\d*(?:[^\w%]|$))[^\s'\"`/?]+"
_WITHOUT = rf"(?P<bare>(?<![^\s'\"`(=/])(?![A-Z]:[\\/])[^\s'\"`(=:/@]+:)(?!\s|//){_SECRET}"
_CREDENTIALS = re.compile(
    f"(?P<file>{_FILE})|(?i:{_WITH_SLASHES})|{_PORT}|{_WITHOUT}",
)
_IN_QUERY = r"[?&][^=&\s]*(?:pass|pwd|secret|token)[^=&\s]*=)(?!\*\*\*)[^&]+?(?=&|['\"](?:\s|$)|$)"
_KEY = r"\b\w*(?:password|passwd|pwd)\w*(?:\s*=|['\"]?:)\s*"
# MySQL writes "(using password: YES)".
_IN_WORDS = rf"{_KEY})(?!\*\*\*|YES\b|NO\b)(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\")]+)"
_OPTION = re.compile(f"({_IN_QUERY}|({_IN_WORDS}", re.IGNORECASE)


def without_password(text: str) -> str:
    """Return a text with `***` in place of everything that looks like a password.

    The text may be a database URL, also a malformed one, or any message. If the end of a password
    is not clear, too much is hidden rather than too little.
    """
    shown = _CREDENTIALS.sub(_hide, text)
    return _OPTION.sub(lambda found: f"{found[1] or found[2]}{_HIDDEN}", shown)


def _hide(found: re.Match[str]) -> str:
    if found["file"] is not None:
        return found["file"]
    if found["port"] is not None:
        return f"{found['port']}{_HIDDEN}"
    return f"{found['scheme'] or found['bare']}{_HIDDEN}@"
