"""The search for canaries: everything the house has written, told or queued, read as somebody who snoops would.

Words (names, readings, addresses, tokens, secrets) count anywhere, also in JSON's escapes and in zlib, which RQ packs
payloads with. Numbers count as whole numbers, with and without hyphens, where they are not part of a digest.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

_NUMBER = re.compile(rb"(?<![0-9A-Za-z_-])[0-9][0-9-]{5,14}[0-9](?![0-9A-Za-z_-])")
_DIGITS = re.compile(rb"(?<![0-9a-f])[0-9]{7,}(?![0-9a-f])")
LONG = 10
"""Digits from which a number is looked for inside a longer one, too."""


@dataclass(frozen=True)
class Canaries:
    """`numbers`: digits only, 7 at least."""

    words: frozenset[str] = field(repr=False)
    numbers: frozenset[str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.words) + len(self.numbers)

    def found_in(self, text: bytes) -> int:
        """How many different ones the text holds."""
        words = sum(any(form in text for form in _forms(word)) for word in self.words)
        return words + len(self.numbers & set(self._numbers_in(text)))

    def _numbers_in(self, text: bytes) -> Iterator[str]:
        for match in _NUMBER.finditer(text):
            yield match[0].replace(b"-", b"").decode()
        lengths = {len(number) for number in self.numbers}
        for match in _DIGITS.finditer(text):
            digits = match[0].decode()
            yield digits
            for size in lengths:
                if LONG <= size < len(digits) <= 64:
                    yield from (digits[at : at + size] for at in range(len(digits) - size + 1))


def _forms(word: str) -> set[bytes]:
    return {word.encode(), json.dumps(word)[1:-1].encode(), json.dumps(word)[1:-1].upper().encode()}


@dataclass
class Search:
    """What was searched, and where something was found. Kept: counts, never texts."""

    canaries: Canaries = field(repr=False)
    pieces: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """Place → bytes."""
    leaks: dict[str, int] = field(default_factory=dict)
    """Place and name → how many canaries."""

    def look(self, place: str, name: str, text: bytes) -> None:
        self.pieces[place] = self.pieces.get(place, 0) + 1
        self.sizes[place] = self.sizes.get(place, 0) + len(text)
        hits = self.canaries.found_in(text)
        if hits:
            self.leaks[f"{place}: {name}"] = hits

    def look_at_files(self, place: str, files: Iterable[Path]) -> None:
        for file in files:
            self.look(place, file.name, file.read_bytes())

    def look_at_mails(self, folder: Path) -> None:
        for file in sorted(folder.glob("*.eml")):
            self.look("mails", file.name, read_mail(file.read_bytes()))

    def look_at_broker(self, client: redis.Redis) -> None:
        """Every key with its value; hashes also field by field, unpacked: there the payloads of the queues are."""
        for key in client.scan_iter(count=1000):
            name = key.decode(errors="replace")
            self.look("broker", name, key + b"\n" + (client.dump(key) or b""))
            if client.type(key) == b"hash":
                for part, value in client.hgetall(key).items():
                    place = "queue payloads" if name.startswith("rq:job:") and part == b"data" else "broker"
                    if isinstance(value, bytes):  # the client's types allow for text
                        self.look(place, name, unpacked(value))

    def told(self) -> Mapping[str, str]:
        """Place → how much was searched."""
        return {place: f"{self.pieces[place]} / {self.sizes[place] / 1e6:.1f} MB" for place in sorted(self.pieces)}


def unpacked(value: bytes) -> bytes:
    """As it is, and what zlib has packed in it."""
    try:
        return value + b"\n" + zlib.decompress(value)
    except zlib.error:
        return value


def read_mail(raw: bytes) -> bytes:
    """Headers and every text decoded, after the message as it came."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [f"{name}: {value}" for name, value in message.items()]
    parts += [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return raw + b"\n" + "\n".join(parts).encode()
