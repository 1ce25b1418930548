"""One value followed through its codecs: which named rule turned it into what, and what the other system does not get.

Nothing converts here. Every step applies what the codec itself converts with: the rules of the normal form, its own
rules, and for the rest its `decode` and `encode`. A codec tells of itself, where it has something to tell:

- `reads`, `writes`: the name of what it does besides its rules, because the system keeps the value elsewhere or in
  words of its own ("" when a reader would see no difference);
- `gathered(raw)`: the one text in which the value stands, when the system keeps it in several parts;
- `rules_for(raw)`: its rules, when they depend on what stands beside;
- `not_carried(raw, options)`: words for what of this very value it leaves behind;
- `holds(plain, written)`: whether what it writes holds the value whole, when it is not read back as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.domain.codecs.base import CODE, Codec, Raw, own_rules
from app.domain.japanese.normal_form import NORMAL_FORM, Rule, is_plain
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import FieldState, Missing, Plain, Unconvertible


@dataclass(frozen=True, slots=True)
class TraceStep:
    """`name`: a named rule ("rule_width") or what a codec does besides ("phone_joined"). `values`: what it made."""

    name: str
    values: Raw = field(repr=False)

    @property
    def is_rule(self) -> bool:
        return self.name.startswith("rule_")


def read_steps(codec: Codec, raw: Raw, *, paths: int, plain: FieldState) -> list[TraceStep]:
    """The steps from the values that a system holds to `plain`, which is what `codec.decode` makes of them. `raw`: the
    values at the paths, `paths` of them, and beside them."""
    name, values = _name(codec, "reads"), raw[:paths]
    steps = [] if all(map(_is_normal, values)) else list(_by_rules(NORMAL_FORM, values))
    values = _after(steps, values)
    if hasattr(codec, "gathered"):
        gathered = codec.gathered(raw)
        steps += [TraceStep(name, gathered)] if spoken(gathered) != spoken(values) else []
        values = gathered
    by_rules = list(_by_rules(_rules(codec, raw), values))
    steps, values = [*steps, *by_rules], _after(by_rules, values)
    if not isinstance(plain, (Missing, Unconvertible)) and _is_told(name, values, (plain,)):
        steps.append(TraceStep(name, (plain,)))
    return steps


def write_steps(codec: Codec, plain: Plain, written: Raw) -> list[TraceStep]:
    """The step from the plain value to the values that `codec.encode` has made of it; [] where they look alike."""
    name = _name(codec, "writes")
    return [TraceStep(name, written)] if _is_told(name, (plain,), written) else []


def not_carried(codec: Codec, raw: Raw, options: MappingOptions) -> tuple[str, ...]:
    """What the codec leaves behind when it reads these values."""
    found: tuple[str, ...] = codec.not_carried(raw, options) if hasattr(codec, "not_carried") else ()
    return found


def lost_in_writing(codec: Codec, plain: Plain, written: Raw, beside: Raw, options: MappingOptions) -> tuple[str, ...]:
    """What the target will not show of the value although it compares as equal."""
    if not codec.lossy or (hasattr(codec, "holds") and codec.holds(plain, written)):
        return ()
    held = codec.decode((*written, *beside), options)
    if held == plain:
        return ()
    zeros = isinstance(held, str) and isinstance(plain, str) and plain.lstrip("0") == held.lstrip("0")
    return ("leading_zeros",) if zeros else ("own_form",)


def spoken(values: Raw) -> str:
    """Values as somebody would read them out: without what is empty, lists by their names."""
    return " ".join(text for value in values if (text := _spoken(value)))


def _spoken(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _spoken(value.get("name"))
    if isinstance(value, (list, tuple)):
        return "、".join(text for each in value if (text := _spoken(each)))
    return value.isoformat() if isinstance(value, date) else str(value)


def _is_normal(value: Any) -> bool:
    """A short cut: whether no rule of the normal form finds anything in it."""
    return not isinstance(value, str) or (is_plain(value) and value == value.strip())


def _by_rules(rules: tuple[Rule, ...], values: Raw) -> Iterator[TraceStep]:
    for rule in rules:
        after = tuple(rule.apply(value) if isinstance(value, str) else value for value in values)
        if after != values:
            yield TraceStep(rule.name, after)
        values = after


def _after(steps: Sequence[TraceStep], values: Raw) -> Raw:
    return steps[-1].values if steps else values


def _rules(codec: Codec, raw: Raw) -> tuple[Rule, ...]:
    found: tuple[Rule, ...] = codec.rules_for(raw) if hasattr(codec, "rules_for") else own_rules(codec)
    return found


def _name(codec: Codec, what: str) -> str:
    return str(getattr(codec, what, ""))


def _is_told(name: str, before: Raw, after: Raw) -> bool:
    """Whether a reader sees a difference; a code is told even where the two systems have the same word for it."""
    return name == CODE or (before != after and spoken(before) != spoken(after))
