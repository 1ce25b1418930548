"""市区町村 by prefecture, as a table that is handed in: which names there are, and how each may be written.

The names themselves are data and stand outside the domain (`app.adapters.municipalities` reads them once at start).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from app.domain.japanese.kana import HYPHENS

_DISTRICT = re.compile(r"(?:.{1,4}?郡|三宅島|八丈島)(?=.+[町村]$)")
_WARD_OF_A_CITY = re.compile(r"(.+市)(?=.+区$)")
# People type either sign for the same place. The length must not change, because the splitter counts signs.
VARIANTS = str.maketrans("ヶヵ龍竈鰺檮", "ケカ竜釜鯵梼")


def for_matching(text: str) -> str:
    """The text with each sign replaced by exactly one sign, so that positions in the text stay the same."""
    return "".join(_narrow_sign(sign) for sign in text).translate(VARIANTS)


def _narrow_sign(sign: str) -> str:
    narrow = unicodedata.normalize("NFKC", sign).upper()
    return sign if len(narrow) != 1 else "-" if narrow in HYPHENS else narrow


@dataclass(frozen=True, eq=False)
class Municipalities:
    """`by_prefecture`: prefecture → its municipalities, as Japan Post writes them: wards as 横浜市中区, districts as
    西多摩郡瑞穂町. One table serves a whole process, and a table is equal to itself alone."""

    by_prefecture: Mapping[str, tuple[str, ...]] = field(repr=False)
    _names: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False)
    _cities: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False)

    def near(self, prefecture: str | None) -> frozenset[str]:
        """The names of the prefecture, or of all where it is not known."""
        return self.of(prefecture) if prefecture else self._everywhere

    def of(self, prefecture: str) -> frozenset[str]:
        """Every way to write a municipality of the prefecture: 西多摩郡瑞穂町, 瑞穂町; 横浜市中区, 横浜市."""
        if prefecture not in self._names:
            full = self.by_prefecture.get(prefecture, ())
            short = [_DISTRICT.sub("", name, count=1) for name in full]
            unique = {name for name in short if short.count(name) == 1}
            found = frozenset(for_matching(name) for name in {*full, *unique})
            self._names[prefecture] = found | self.cities_with_wards(prefecture)
        return self._names[prefecture]

    def cities_with_wards(self, prefecture: str) -> frozenset[str]:
        if prefecture not in self._cities:
            matches = map(_WARD_OF_A_CITY.match, self.by_prefecture.get(prefecture, ()))
            self._cities[prefecture] = frozenset(for_matching(match.group(1)) for match in matches if match)
        return self._cities[prefecture]

    @cached_property
    def _everywhere(self) -> frozenset[str]:
        return frozenset(name for prefecture in self.by_prefecture for name in self.of(prefecture))


NO_MUNICIPALITIES = Municipalities({})
"""Where no address is split: every split is unclear then."""
