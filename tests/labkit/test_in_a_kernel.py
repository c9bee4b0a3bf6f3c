"""What a person sees in a notebook: executed in a real kernel."""

from __future__ import annotations

import nbformat
import pytest
from labkit.builder.emulator import Emulator
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.emulator_process import ROOT, EmulatorProcess
from tests.notebooks.kernels import over_unix_sockets

over_unix_sockets()
pytestmark = pytest.mark.notebooks


def _run(emulator: Emulator, *cells: str, **environment: str) -> list[list[NotebookNode]]:
    """The outputs of each cell; errors do not stop it."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client = NotebookClient(made, kernel_name="python3", timeout=60, allow_errors=True)
    client.execute(env={**emulator.environment(), **environment})
    return [cell.outputs for cell in made.cells]


@pytest.fixture
def here(emulator: EmulatorProcess, account: str) -> Emulator:
    """The tests' emulator as the builder sees one."""
    return Emulator(ROOT, emulator.url, emulator.state, account)


def test_errors_for_people_have_no_traceback(here: Emulator) -> None:
    nobody = "http://127.0.0.1:9"
    _, begun, called = _run(
        here,
        "import labkit as lab\nfrom labkit.errors import explain_connection_failures\nexplain_connection_failures()",
        'lab.begin("00")',
        'lab.client("ecs").list_clusters()',
        AWS_ENDPOINT_URL=nobody,
    )
    for outputs in (begun, called):
        [error] = [output for output in outputs if output.output_type == "error"]
        assert len(error.traceback) == 2, error.traceback
        assert nobody in error.traceback[0] and error.traceback[1] == "Start it with ./lab up"


def test_a_runner_is_no_person_and_gets_text(here: Emulator) -> None:
    cells = ("import labkit as lab", 'lab.show([{"a": 1}])')
    environment = {name: value for name, value in here.environment().items() if name != "LAB_BATCH"}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(made, kernel_name="python3", timeout=60).execute(env=environment)
    assert [output.output_type for output in made.cells[1].outputs] == ["stream"]


def test_a_person_gets_html_with_its_text_twin_and_live_progress(here: Emulator) -> None:
    _, table, waited = _run(
        here,
        "import labkit as lab",
        'lab.show([{"a": 1}])',
        'states = iter(["PENDING", "RUNNING"])\nlab.wait(lambda: next(states), until="RUNNING", name="t", speed=200);',
        LAB_BATCH="0",
    )
    assert "<table>" in table[0].data["text/html"] and table[0].data["text/plain"].startswith("a")
    text = "".join(output.text for output in waited if output.output_type == "stream")
    assert "t: PENDING" in text and text.rstrip().endswith("t: RUNNING")
