"""Ten deployments of a service behind a load balancer, with a thousand requests and more during each: none is lost."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.test_ecs_balanced_services import Front
from tests.services.ecs.yard import Yard

DEPLOYMENTS = 10
REQUESTS = 1000
"""At least, during each"""
SPEED = "60"
ACCOUNT = "000000000000"


class Visitors:
    """Half of them keep their connection, half open one for each request; what was answered, or how it failed."""

    def __init__(self, url: str, count: int = 6) -> None:
        self.told: Counter[str] = Counter()
        self._place, self._over, self._lock = urlsplit(url), threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._visit, args=(number % 2 == 0,)) for number in range(count)]

    @property
    def count(self) -> int:
        with self._lock:
            return sum(self.told.values())

    def _visit(self, keeps: bool) -> None:
        connection = None
        while not self._over.is_set():
            try:
                connection = connection or http.client.HTTPConnection(
                    str(self._place.hostname), self._place.port, timeout=20
                )
                connection.request("GET", "/", headers={} if keeps else {"Connection": "close"})
                answer = connection.getresponse()
                text = answer.read().decode()
                told = text if answer.status == 200 else f"{answer.status}: {text}"
                if not keeps:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                connection, told = None, f"failed: {error!r}"
            with self._lock:
                self.told[told] += 1

    @contextmanager
    def here(self) -> Iterator[Visitors]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


@pytest.mark.all
@pytest.mark.timeout(600)
def test_ten_deployments_lose_none_of_a_thousand_requests_each(tmp_path: Path, record_property: Any) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", SPEED) as emulator:
        front = Front(Yard(emulator.client, ACCOUNT), emulator)
        front.create(front.page("0"))
        front.steady()
        with Visitors(front.url).here() as visitors:
            before, figures = 0, []
            for number in range(1, DEPLOYMENTS + 1):
                begun, before = time.monotonic(), visitors.count
                told = front.ecs.update_service(cluster="yard", service="web", taskDefinition=front.page(str(number)))
                wanted = told["service"]["taskDefinition"]
                wait_until(
                    lambda wanted=wanted: [d["taskDefinition"] for d in front.told()["deployments"]] == [wanted],
                    f"deployment {number} is the only one",
                    front.events,
                    patience=120,
                )
                front.steady()
                wait_until(lambda b=before: visitors.count - b >= REQUESTS, f"{REQUESTS} requests", patience=120)
                figures.append((visitors.count - before, round(time.monotonic() - begun, 1)))
        assert set(visitors.told) == {str(number) for number in range(DEPLOYMENTS + 1)}, visitors.told
        assert min(count for count, _ in figures) >= REQUESTS
        print(f"requests and seconds of each deployment: {figures}; {visitors.count} in all, none lost")
        record_property("deployments", figures)
        assert emulator.faults() == []
