"""VendorSession: what `requests` does around each call, without what no call of ours needs."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

_WITHOUT_LENGTH = ("GET", "HEAD")


class VendorSession(requests.Session):
    """A session that never looks at a redirect: `requests` would parse its address and read its body even when it is
    told not to follow, and fails at an address that makes no sense."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, for every answer."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As `requests` does, which reads the whole environment each time, but once per host: the environment of a
        process does not change."""
        kept: dict[Any, dict[str, Any]] = self.__dict__.setdefault("_settings_by_host", {})
        key = (*urlsplit(url)[:2], stream, verify)
        if key not in kept:
            kept[key] = dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        return dict(kept[key])

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As `requests` does, which looks at a request in a dozen ways and encodes its address three times; a call of
        ours has a plain address, and JSON or no body."""
        url = str(request.url)
        if request.data or request.files or request.cookies or self.cookies or not url.isascii():
            return super().prepare_request(request)
        prepared = requests.PreparedRequest()
        prepared.method, prepared.hooks = str(request.method).upper(), default_hooks()
        prepared.url = f"{url}?{_query(tuple(request.params.items()))}" if request.params else url
        headers: CaseInsensitiveDict[Any] = CaseInsensitiveDict(self.headers)
        headers.update(request.headers)
        prepared.headers = headers
        if request.json is not None:
            prepared.body = json.dumps(request.json, allow_nan=False).encode()
            headers["Content-Length"] = str(len(prepared.body))
            headers.setdefault("Content-Type", "application/json")
        elif prepared.method not in _WITHOUT_LENGTH:
            headers["Content-Length"] = "0"
        return prepared


@lru_cache(maxsize=256)
def _query(parameters: tuple[tuple[str, str | int], ...]) -> str:
    """The query of an address: most of a run's calls have one of a few."""
    return urlencode(parameters)
