"""Where a request may send its browser afterwards: a path of ours, whatever the request says."""

from __future__ import annotations

from urllib.parse import quote

LONGEST = 2000
_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F))


def own_path(wanted: str) -> str | None:
    """The path as it can stand in a header, or None for anything but a path of this host.

    Browsers read more as the beginning of another host than a URL parser does: `//host`, `/\\host`, and either with a
    tab or a line break inside, which they leave out. So nothing of that is taken apart here: one slash, and then
    neither a slash nor a backslash; no backslash anywhere; no sign that does not print.
    """
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted or len(wanted) > LONGEST:
        return None
    if not wanted.isprintable() or " " in wanted:
        return None
    return quote(wanted, safe=_AS_IT_IS)
