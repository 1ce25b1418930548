"""The search for people as one would write it without digests: the law that those follow."""

from __future__ import annotations

from app.domain.matching.name_search import Names, typed


def begins_with(names: Names, text: str) -> bool:
    """Whether the search for this text finds these names."""
    wanted = typed(text)
    return bool(wanted) and any(form.startswith(wanted) for form in names.forms)
