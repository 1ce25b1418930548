"""Off by default: nothing of OpenTelemetry is loaded. Asked for without its packages, every start says what lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.config import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": "k"}
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
STRONG = {
    "SECRET_KEY": "bW9vbi1yYWJiaXQtODQ3Mi1xdWFydHotaGFtbWVyLTkxMzU",
    "ENCRYPTION_KEYS": "cXVhaWwtbG90dXMtNjYyOC1jaXJydXMtdmVsbHVtLTczMDE",
}
WITHOUT = (
    "OTEL_EXPORTER_OTLP_ENDPOINT を使うための追加パッケージがありません。pip install --require-hashes -r "
    "requirements-telemetry.txt で入れるか、この設定を空にしてください。 [telemetry_packages_missing]"
)
STARTS = {
    "web": ["-m", "app.web.serving", "wsgi:app"],
    "relay": ["-m", "workers.relay"],
    "worker": ["-m", "workers.worker", "bulk"],
    "cron": ["-m", "workers.cron"],
    "command": ["-m", "flask", "--app", "wsgi", "queue", "status"],
}


def without_packages(folder: Path) -> Path:
    """A folder for PYTHONPATH in which OpenTelemetry is not to be had, as where only requirements.txt is installed."""
    hidden = folder / "hidden"
    hidden.mkdir()
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'opentelemetry':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    (hidden / "sitecustomize.py").write_text(code, encoding="utf-8")
    return hidden


def python(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_nothing_of_it_is_loaded_unless_a_collector_is_named(tmp_path: Path) -> None:
    """Every module that a process of the service loads, and a migrated database's context."""
    code = (
        "import sys, wsgi, workers.worker, workers.alone, workers.relay, workers.cron, app.web.serving.processes\n"
        "from app.telemetry.process import telling\n"
        "from app.wiring import get_context\n"
        "with telling(get_context().settings, 'web'):\n"
        "    print([name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'google')])\n"
    )
    done = python("-c", code, env={**STRONG, "DATA_DIR": str(tmp_path), "PYTHONPATH": str(without_packages(tmp_path))})
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
    asked = python("-c", code, env={**STRONG, "DATA_DIR": str(tmp_path), ENDPOINT: "http://127.0.0.1:9"})
    assert "opentelemetry.sdk.trace" in asked.stdout, asked.stderr


@pytest.mark.few(2)
@pytest.mark.parametrize("start", STARTS)
def test_without_the_packages_every_start_says_what_is_missing(tmp_path: Path, start: str) -> None:
    env = {
        **STRONG,
        "DATA_DIR": str(tmp_path),
        ENDPOINT: "http://127.0.0.1:4318",
        "PYTHONPATH": str(without_packages(tmp_path)),
    }
    done = python(*STARTS[start], env=env)
    assert done.returncode != 0
    assert WITHOUT in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_it_too(tmp_path: Path) -> None:
    env = {
        **STRONG,
        "DATA_DIR": str(tmp_path),
        ENDPOINT: "http://127.0.0.1:4318",
        "PYTHONPATH": str(without_packages(tmp_path)),
    }
    done = python("-m", "flask", "--app", "wsgi", "doctor", env=env)
    assert "telemetry_packages_missing" in done.stdout


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({ENDPOINT: "collector:4318"}, "setting_malformed"),
        ({ENDPOINT: "grpc://127.0.0.1:4317"}, "setting_malformed"),
        ({ENDPOINT: "http://127.0.0.1:port"}, "setting_malformed"),
        ({ENDPOINT: "http://127.0.0.1", "OTEL_EXPORTER_OTLP_HEADERS": "geheim"}, "setting_malformed"),
        ({ENDPOINT: "http://collector.example.jp:4318"}, "collector_plaintext"),
    ],
)
def test_a_collector_that_cannot_be_told_is_refused_without_its_key(env: dict[str, str], code: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({**SECRETS, **env})
    (fault,) = refused.value.faults
    assert fault.code == code
    assert "geheim" not in str(refused.value)


def test_what_is_right_is_taken() -> None:
    settings = Settings.from_env(
        {
            **SECRETS,
            ENDPOINT: "https://otlp.example.jp/awase/",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic cXVhaWw6bG90dXM=, x-scope=awase",
        }
    )
    assert settings.otel_exporter_otlp_endpoint == "https://otlp.example.jp/awase"
    assert "cXVhaWw6" not in repr(settings)
    allowed = {ENDPOINT: "http://collector.example.jp:4318", "ALLOW_PLAINTEXT": ENDPOINT}
    assert Settings.from_env({**SECRETS, **allowed}).otel_exporter_otlp_endpoint
    assert not Settings.from_env(SECRETS).otel_exporter_otlp_endpoint
