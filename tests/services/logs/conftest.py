"""A CloudWatch Logs service of its own for each test, asked as the gateway asks it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from drydock.clock import Clocks
from drydock.errors import AwsError
from drydock.ids import Ids
from drydock.request import Principal, Request
from drydock.services.logs import Logs
from drydock.services.service import Platform
from drydock.store import Store

EPOCH = 1_750_000_000.0
ACCOUNT = "111122223333"
MODEL = botocore.session.get_session().get_service_model("logs")
TYPES: dict[str, Any] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "double": (int, float), "float": (int, float),
}  # fmt: skip


def departures(shape: Any, value: Any, path: str = "") -> list[str]:
    """Where an answer is not of its botocore shape."""
    if shape.type_name == "structure":
        wrong = [f"{path}.{key} is no member" for key in value if key not in shape.members]
        wrong += [f"{path}.{key} is missing" for key in shape.required_members if key not in value]
        for key in set(value) & set(shape.members):
            wrong += departures(shape.members[key], value[key], f"{path}.{key}")
        return wrong
    if shape.type_name == "list":
        return [each for item in value for each in departures(shape.member, item, f"{path}[]")]
    if shape.type_name == "map":
        return [each for item in value.values() for each in departures(shape.value, item, f"{path}{{}}")]
    right = isinstance(value, TYPES[shape.type_name]) and isinstance(value, bool) == (shape.type_name == "boolean")
    return [] if right else [f"{path} is {value!r}"]


class Lab:
    """The service over a state folder. ``play`` runs a story in an event loop and checks the invariants after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()

    def open(self) -> None:
        """Begin, or begin again as after a crash."""
        self.store = Store(self.folder / "store.sqlite3")
        self.clocks = Clocks(self.store, epoch=EPOCH)

        async def call(*_: Any) -> dict[str, Any]:
            raise AssertionError("Logs calls nobody")

        self.platform = Platform(self.store, self.clocks, Ids(self.store, "seed"), self.folder, call)
        self.logs = Logs(self.platform)

    async def __call__(self, operation: str, account: str = ACCOUNT, region: str = "eu-west-1", **params: Any) -> Any:
        """One call, its input and output checked against the service model."""
        model = MODEL.operation_model(operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not [e for e in report._errors if e[0] not in ("invalid length", "invalid range")], (
            report.generate_report()
        )
        request = Request("logs", operation, region, Principal.root(account))
        answer = self.logs.operation(operation)(request, params)
        if inspect.isawaitable(answer):
            answer = await answer
        self.store.commit()
        if model.output_shape is None:
            assert answer is None
        else:
            assert departures(model.output_shape, answer) == []
        return answer

    async def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        """Code and message of the error that a call gets."""
        with pytest.raises(AwsError) as caught:
            await self(operation, **params)
        return caught.value.code, caught.value.message

    async def stream(self, group: str = "g", stream: str = "s") -> None:
        """Make a stream, and its group if need be."""
        if not (await self("DescribeLogGroups", logGroupNamePrefix=group))["logGroups"]:
            await self("CreateLogGroup", logGroupName=group)
        await self("CreateLogStream", logGroupName=group, logStreamName=stream)

    async def put(self, *events: tuple[int, str] | str, group: str = "g", stream: str = "s") -> Any:
        """Put events: texts, for now, or (milliseconds from now, text)."""
        now = self.now
        timed = [event if isinstance(event, tuple) else (0, event) for event in events]
        batch = [{"timestamp": now + offset, "message": text} for offset, text in timed]
        return await self("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=batch)

    async def texts(self, **params: Any) -> list[str]:
        """The messages of one page of FilterLogEvents of group g."""
        found = await self("FilterLogEvents", logGroupName="g", **params)
        return [event["message"] for event in found["events"]]

    @property
    def now(self) -> int:
        """Lab time in milliseconds."""
        return self.logs.now(ACCOUNT)

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run it; afterwards the service's invariants hold and it ends cleanly."""

        async def whole() -> None:
            await self.logs.start()
            await story()
            assert self.logs.validate() == []
            await self.logs.stop()

        asyncio.run(whole())
        self.store.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    yield Lab(tmp_path)


@pytest.fixture
def new_lab(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lab]:
    """Makes one for each example of a property."""
    return lambda: Lab(tmp_path_factory.mktemp("logs"))
