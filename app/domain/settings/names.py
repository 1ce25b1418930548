"""What a name may hold: nothing that ends a line, and nothing that cannot be seen.

Names of connections, companies, keys, users and settings end up in headers of mails, in log lines and in lists that
people read to decide. One rule for every door: what has such signs is refused where it comes in, and shown without them
where it was stored before.
"""

from __future__ import annotations

import re
import unicodedata

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control signs (NUL, NEL), formats (zero width, direction overrides), halves of surrogate pairs, line and paragraph
separators."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Signs of other categories that show nothing: fillers and joiners. Variation selectors are none of them, because they
choose the form of a 漢字 (葛󠄀)."""
_BREAKS = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\t]+")


def is_clean(text: str) -> bool:
    """Whether every sign of the text can be seen and stays on its line. A blank, also a full-width one, is a sign."""
    return not any(map(_is_unseen, text))


def cleaned(text: str) -> str:
    """The text on one line, with every sign that can be seen."""
    return "".join(sign for sign in _BREAKS.sub(" ", text) if not _is_unseen(sign))


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign) in _UNSEEN_CATEGORIES or sign in _UNSEEN
