"""Keys and users: what is stored, what opens, what is refused."""

from __future__ import annotations

import hashlib

import pytest
from argon2 import PasswordHasher, Type

from app.domain.errors import Refused
from app.use_cases.accounts import api_keys
from app.use_cases.accounts.api_keys import Scope
from app.wiring import build_context
from tests.storage.databases import everything_stored
from tests.web.world import World


def test_a_key_opens_with_its_scopes_and_is_stored_as_a_digest(world: World) -> None:
    token = api_keys.add_key(world.ctx, "人事", ["runs:read", "ops:read", "runs:read"])
    view = api_keys.verify_key(world.ctx, token)
    assert view and view.scopes == {Scope.RUNS_READ, Scope.OPS_READ}
    _, prefix, secret = token.split("_")
    assert view.prefix == prefix
    stored = everything_stored(world.ctx.settings)
    assert secret.encode() not in stored
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in stored


def test_two_keys_never_share_anything(world: World) -> None:
    tokens = [api_keys.add_key(world.ctx, "同じ名前", ["runs:read"]) for _ in range(20)]
    assert len({part for token in tokens for part in token.split("_")[1:]}) == 40


def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    token = api_keys.add_key(world.ctx, "人事", ["runs:read"])
    other = api_keys.add_key(world.ctx, "人事", ["runs:read"])
    api_keys.revoke_key(world.ctx, token.split("_")[1])
    api_keys.revoke_key(world.ctx, token.split("_")[1])
    assert api_keys.verify_key(world.ctx, token) is None
    assert api_keys.verify_key(world.ctx, other) is not None
    assert [view.revoked_at is not None for view in api_keys.list_keys(world.ctx)] == [True, False]


@pytest.mark.parametrize("token", ["", "awase", "awase__", "x" * 10_000, "awase_" + "0" * 12 + "_" + "0" * 64, "é\x00"])
def test_what_is_no_key(token: str, world: World) -> None:
    api_keys.add_key(world.ctx, "人事", ["runs:read"])
    assert api_keys.verify_key(world.ctx, token) is None


def test_the_secret_of_one_key_does_not_open_another(world: World) -> None:
    one, two = (api_keys.add_key(world.ctx, "人事", ["runs:read"]).split("_") for _ in range(2))
    assert api_keys.verify_key(world.ctx, f"awase_{one[1]}_{two[2]}") is None


def test_use_is_noted_but_not_with_every_request(world: World) -> None:
    token = api_keys.add_key(world.ctx, "人事", ["runs:read"])
    api_keys.verify_key(world.ctx, token)
    first = api_keys.list_keys(world.ctx)[0].last_used_at
    assert first == world.clock.now()
    world.clock.turn(minutes=5)
    api_keys.verify_key(world.ctx, token)
    assert api_keys.list_keys(world.ctx)[0].last_used_at == first
    world.clock.turn(minutes=6)
    api_keys.verify_key(world.ctx, token)
    assert api_keys.list_keys(world.ctx)[0].last_used_at == world.clock.now()


def test_a_scope_word_of_a_newer_version_opens_nothing(world: World) -> None:
    token = api_keys.add_key(world.ctx, "人事", ["runs:read"])
    with world.ctx.unit_of_work() as uow:
        row = uow.keys.by_prefix(token.split("_")[1])
        assert row
        uow.keys.add(
            name="新", prefix="0" * 12, digest=row.digest, scopes=["everything", "ops:read"], now=row.created_at
        )
    view = api_keys.verify_key(world.ctx, f"awase_{'0' * 12}_{token.split('_')[2]}")
    assert view and view.scopes == {Scope.OPS_READ}


@pytest.mark.parametrize(
    ("name", "scopes", "code"),
    [
        ("", ["runs:read"], "invalid_key_name"),
        ("a\nb", ["runs:read"], "invalid_key_name"),
        ("x" * 101, ["runs:read"], "invalid_key_name"),
        ("人事", [], "empty_scopes"),
        ("人事", ["runs:all"], "unknown_scope"),
    ],
)
def test_a_key_that_cannot_be_made(name: str, scopes: list[str], code: str, world: World) -> None:
    with pytest.raises(Refused) as refused:
        api_keys.add_key(world.ctx, name, scopes)
    assert refused.value.code == code
    assert api_keys.list_keys(world.ctx) == []


def test_an_unknown_key_cannot_be_revoked(world: World) -> None:
    with pytest.raises(Refused) as refused:
        api_keys.revoke_key(world.ctx, "0" * 12)
    assert refused.value.code == "unknown_key"


def test_a_password_is_kept_as_argon2id(world: World) -> None:
    api_keys.add_user(world.ctx, "hr@example.invalid", "correct horse battery", role="admin")
    with world.ctx.unit_of_work() as uow:
        row = uow.users.by_login("hr@example.invalid")
    assert row and row.role == "admin"
    assert row.password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(row.password_hash, "correct horse battery")


def test_the_product_hashes_as_rfc_9106_has_it(world: World) -> None:
    """Tests hash more cheaply; what the processes are wired with does not."""
    hasher = build_context(world.ctx.settings).hasher
    assert (hasher.time_cost, hasher.memory_cost, hasher.parallelism) == (3, 65536, 4)
    assert hasher.type is Type.ID


@pytest.mark.parametrize(
    ("login", "password", "role", "code"),
    [
        ("", "correct horse battery", "admin", "invalid_login"),
        ("a b", "correct horse battery", "admin", "invalid_login"),
        ("hr", "short", "admin", "invalid_password"),
        ("hr", "x" * 257, "admin", "invalid_password"),
        ("hr", "correct horse battery", "god", "invalid_role"),
        ("taken", "correct horse battery", "admin", "login_taken"),
    ],
)
def test_a_user_that_cannot_be_added(login: str, password: str, role: str, code: str, world: World) -> None:
    api_keys.add_user(world.ctx, "taken", "correct horse battery")
    with pytest.raises(Refused) as refused:
        api_keys.add_user(world.ctx, login, password, role=role)
    assert refused.value.code == code
