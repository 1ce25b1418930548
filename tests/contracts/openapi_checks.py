"""Requests and answers against the vendors' published contracts, which are read from CONTRACTS_DIR and never copied.

    contract = load_contract("smarthr")          # or "freee"
    check_request(contract, "PATCH", "/v1/crews/1", {}, {"last_name": "佐藤"})
    check_response(contract, "GET", "/v1/crews", 200, [...])

`path` is written as the contract writes it, without SmartHR's `/api` and freee's `/hr`. Both raise AssertionError
listing every deviation. Objects are closed: a name the contract does not know is one, in requests and in answers.

SmartHR's file is Swagger 2.0 with known quirks, which are met here and nowhere else: any
field of an answer but an id may be null; `required` of a request is a copy of the read model and does not count; a
PATCH may clear a field with null unless the operation's prose says that it cannot be emptied; errors are not declared,
so their documented envelope (docs/vendors/smarthr.md#refusals) is used.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_FILES = {"smarthr": "smarthr.openapi.json", "freee": "freee-hr.openapi.json"}
_ROOT = Path(__file__).resolve().parents[2]
_URN = "urn:contract"
_NEVER_EMPTIED = {"last_name", "first_name", "last_name_yomi", "first_name_yomi", "gender", "birth_at", "address"}
_SMARTHR_ERROR = {
    "type": "object",
    "required": ["code", "type", "message", "errors"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "integer"},
        "type": {"type": "string"},
        "message": {"type": "string"},
        "errors": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "required": ["message", "resource", "field"],
                "additionalProperties": False,
                "properties": {
                    "message": {"type": "string"},
                    "resource": {"type": ["string", "null"]},
                    "field": {"type": ["string", "null"]},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Contract:
    """One vendor's contract; `requests` and `answers` are the copies that each side is held against."""

    name: str
    requests: Mapping[str, Any] = field(repr=False)
    answers: Mapping[str, Any] = field(repr=False)

    @property
    def is_swagger(self) -> bool:
        return "swagger" in self.requests


def contracts_dir() -> Path:
    """CONTRACTS_DIR, by default ../shared/contracts beside the checkout; missing: skipped, in CI an error."""
    folder = _ROOT / os.environ.get("CONTRACTS_DIR", "../shared/contracts")
    if not folder.is_dir():
        reason = "CONTRACTS_DIR holds the vendors' contracts and is missing"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@cache
def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@cache
def _prepared(name: str, path: Path) -> Contract:
    spec = _read(path)
    requests, answers = copy.deepcopy(spec), copy.deepcopy(spec)
    _close_objects(requests)
    _close_objects(answers)
    if "swagger" in spec:
        for name_, definition in requests["definitions"].items():
            definition.pop("required", None)
            if name_.startswith("patch"):
                _make_nullable(definition.get("properties", {}), but=_NEVER_EMPTIED)
        for definition in answers["definitions"].values():
            _make_nullable(definition.get("properties", {}), but={"id"})
            _nullable_slots(definition.get("properties", {}))
    return Contract(name, requests, answers)


def load_contract(name: str) -> Contract:
    """The contract of `smarthr` or `freee`."""
    return _prepared(name, contracts_dir() / _FILES[name])


def check_request(
    contract: Contract, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> None:
    """The operation exists, its query and body are what the contract says. Query values may be text or typed."""
    template, pointer, operation = _operation(contract.requests, method, path)
    parameters = _parameters(contract.requests, template, operation)
    faults = _query_faults(contract, parameters, query or {})
    schema = _body_pointer(contract.requests, pointer, operation, parameters)
    if schema is None:
        faults += [] if body is None else ["body: none is declared"]
    elif body is None:
        faults.append("body: missing")
    else:
        faults += _faults(contract, contract.requests, {"$ref": f"{_URN}#{schema}"}, body)
    assert not faults, _report(contract, f"{method} {template}", faults)


def check_response(
    contract: Contract, method: str, path: str, status: int, body: Any = None, *, sparse: bool = False
) -> None:
    """The answer is one the contract declares. `sparse`: asked with `fields=`, so required names may be missing."""
    template, pointer, operation = _operation(contract.answers, method, path)
    title = f"{method} {template} → {status}"
    declared = operation["responses"].get(str(status))
    if status == 204:
        assert body is None, _report(contract, title, ["a 204 has no body"])
        return
    if declared is None:
        assert status >= 400, _report(contract, title, ["status is not declared"])
        schema: dict[str, Any] = _SMARTHR_ERROR if contract.is_swagger else {}
    else:
        schema = _answer_schema(contract, declared, f"{pointer}/responses/{status}")
    faults = _faults(contract, contract.answers, schema, body)
    if sparse:
        faults = [fault for fault in faults if "is a required property" not in fault]
    assert not faults, _report(contract, title, faults)


def _operation(spec: Mapping[str, Any], method: str, path: str) -> tuple[str, str, Mapping[str, Any]]:
    """(template, JSON pointer, operation). Literal paths win over templates."""
    for template in sorted(spec["paths"], key=lambda t: t.count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        operation = spec["paths"][template].get(method.lower())
        if operation and re.fullmatch(pattern, path):
            escaped = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
            return template, f"/paths/{escaped}/{method.lower()}", operation
    raise AssertionError(f"the contract has no {method} {path}")


def _parameters(spec: Mapping[str, Any], template: str, operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [*spec["paths"][template].get("parameters", []), *operation.get("parameters", [])]
    return [_follow(spec, p) for p in found]


def _follow(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = spec
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def _query_faults(contract: Contract, parameters: list[Mapping[str, Any]], query: Mapping[str, Any]) -> list[str]:
    declared = {p["name"]: p for p in parameters if p["in"] == "query"}
    faults = [f"query {name}: not declared" for name in query if name not in declared]
    for name, parameter in declared.items():
        if name not in query:
            faults += [f"query {name}: missing"] if parameter.get("required") else []
            continue
        schema = parameter.get("schema") or {k: parameter[k] for k in ("type", "enum", "format") if k in parameter}
        value = _typed(query[name], _follow(contract.requests, schema).get("type"))
        faults += [f"query {name}: {fault}" for fault in _faults(contract, contract.requests, schema, value)]
    return faults


def _typed(value: Any, kind: str | None) -> Any:
    """Text of a query string as the declared type, unchanged where it is not that."""
    if isinstance(value, str) and kind in ("integer", "boolean"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _body_pointer(
    spec: Mapping[str, Any], pointer: str, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]
) -> str | None:
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        kind = next(iter(content))
        return f"{pointer}/requestBody/content/{kind.replace('/', '~1')}/schema"
    for position, parameter in enumerate(parameters):
        if parameter["in"] == "body":
            return f"{pointer}/parameters/{position}/schema"
    return None


def _answer_schema(contract: Contract, declared: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    if contract.is_swagger:
        return {"$ref": f"{_URN}#{pointer}/schema"} if "schema" in declared else {}
    kinds = list(_follow(contract.answers, declared).get("content", {}))
    return {"$ref": f"{_URN}#{pointer}/content/{kinds[0].replace('/', '~1')}/schema"} if kinds else {}


def _faults(contract: Contract, spec: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> list[str]:
    kind: type[Validator] = Draft4Validator if contract.is_swagger else OAS30Validator
    registry: Registry[Any] = Registry().with_resource(_URN, Resource(contents=spec, specification=DRAFT4))
    # The base makes references inside a bare schema resolve as well.
    validator = kind({"allOf": [_anchored(schema)]}, registry=registry, format_checker=oas30_format_checker)
    return [f"{'.'.join(map(str, e.absolute_path)) or '(whole)'}: {e.message}" for e in validator.iter_errors(value)]


def _anchored(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            k: f"{_URN}{v}" if k == "$ref" and isinstance(v, str) and v.startswith("#") else _anchored(v)
            for k, v in schema.items()
        }
    return [_anchored(item) for item in schema] if isinstance(schema, list) else schema


def _close_objects(node: Any) -> None:
    """Every object with declared names takes no others, except parts of an `allOf` of several."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and "additionalProperties" not in node and "allOf" not in node:
            node["additionalProperties"] = False
        parts = node.get("allOf")
        for name, inner in node.items():
            if not (name == "allOf" and isinstance(parts, list) and len(parts) > 1):
                _close_objects(inner)
    elif isinstance(node, list):
        for inner in node:
            _close_objects(inner)


def _make_nullable(properties: dict[str, Any], *, but: set[str]) -> None:
    for name, schema in properties.items():
        if name not in but:
            properties[name] = _or_null(schema)


def _nullable_slots(properties: dict[str, Any]) -> None:
    """`departments` and `positions` may hold null entries, for slots that are empty."""
    for name in {"departments", "positions"} & properties.keys():
        whole = properties[name]["anyOf"][0]
        whole["items"] = _or_null(whole["items"])


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _report(contract: Contract, title: str, faults: list[str]) -> str:
    return f"{contract.name}: {title}\n  " + "\n  ".join(faults)
