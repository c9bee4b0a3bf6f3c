"""Deployments that alarms decide about."""

from __future__ import annotations

from typing import Any

from tests.emulator_process import wait_until
from tests.services.ecs.story import processes
from tests.services.ecs.yard import Yard


def alarms(rollback: bool = True, *names: str) -> dict[str, Any]:
    return {"alarms": {"alarmNames": list(names or ("errors",)), "enable": True, "rollback": rollback}}


class Errors:
    """An alarm on a metric that the test gives; nothing is fine."""

    def __init__(self, yard: Yard, name: str = "errors") -> None:
        self.cw, self.name = yard.aws("cloudwatch"), name
        self.cw.put_metric_alarm(
            AlarmName=name, MetricName=name, Namespace="App", Statistic="Sum", Period=60, EvaluationPeriods=2,
            DatapointsToAlarm=1, Threshold=1.0, ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )  # fmt: skip
        self.until("OK")

    def until(self, state: str, name: str = "") -> None:
        """It, or another alarm, is in a state."""

        def look() -> bool:
            (alarm,) = self.cw.describe_alarms(AlarmNames=[name or self.name])["MetricAlarms"]
            return bool(alarm["StateValue"] == state)

        wait_until(look, f"{name or self.name} is {state}")

    def happen(self) -> None:
        self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": self.name, "Value": 5.0}])


def in_progress_with(definition: str, running: int = 1) -> Any:
    def look(service: dict[str, Any]) -> bool:
        first = service["deployments"][0]
        return bool(first["runningCount"] == running and first["taskDefinition"].endswith(definition))

    return look


def test_a_deployment_during_which_an_alarm_rings_is_rolled_back(yard: Yard) -> None:
    errors = Errors(yard)
    _, old = yard.sleeper()
    _, bad = yard.sleeper()
    yard.create("web:1", 1, deploymentConfiguration=alarms())
    first = yard.steady()["deployments"][0]
    record = yard.records()[0]
    assert (record["status"], record["alarms"]) == (
        "SUCCESSFUL", {"status": "MONITORING_COMPLETE", "alarmNames": ["errors"], "triggeredAlarmNames": []},
    )  # fmt: skip
    failed = yard.update(taskDefinition="web:2")["deployments"][0]["id"]
    yard.until_service(in_progress_with(":2"), "the new task runs")
    errors.happen()
    yard.until_service(lambda service: service["deployments"][0]["id"] == first["id"], "it is rolled back")
    yard.steady(running=1)
    wait_until(lambda: processes(bad) == [] and len(processes(old)) == 1, "the old definition runs again")
    told = yard.messages()
    at = told.index(f"(service web) (deployment {failed}) deployment failed: alarm detected.")
    assert told[at + 1] == f"(service web) rolling back to deployment {first['id']}."
    record = yard.records()[0]
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["alarms"] == {"status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]}


def test_without_roll_back_the_deployment_stays_as_it_is(yard: Yard) -> None:
    errors = Errors(yard)
    yard.sleeper()
    yard.sleeper()
    yard.create("web:1", 1, deploymentConfiguration=alarms(False))
    yard.steady()
    failed = yard.update(taskDefinition="web:2")["deployments"][0]["id"]
    yard.until_service(in_progress_with(":2"), "the new task runs")
    errors.happen()
    service = yard.until_service(lambda found: found["deployments"][0]["rolloutState"] == "FAILED", "it has failed")
    assert service["deployments"][0]["id"] == failed
    assert (yard.records()[0]["status"], yard.records()[0]["alarms"]["status"]) == ("STOPPED", "TRIGGERED")


def test_it_bakes_as_long_as_its_alarm_needs_to_judge(yard: Yard) -> None:
    Errors(yard)
    yard.sleeper()
    yard.create("web:1", 1, deploymentConfiguration=alarms())
    service = yard.steady()
    (task,) = yard.tasks()
    made = yard.records()[0]
    assert (made["finishedAt"] - task["startedAt"]).total_seconds() >= 120
    assert service["deploymentConfiguration"]["alarms"]["alarmNames"] == ["errors"]


def test_an_alarm_that_rings_at_the_beginning_is_not_watched(yard: Yard) -> None:
    errors = Errors(yard)
    yard.sleeper()
    errors.cw.put_metric_alarm(
        AlarmName="broken", MetricName="never", Namespace="App", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
    )  # fmt: skip
    errors.until("ALARM", "broken")
    yard.create("web:1", 1, deploymentConfiguration=alarms(True, "errors", "broken"))
    yard.steady()
    record = yard.records()[0]
    assert (record["status"], record["alarms"]["status"]) == ("SUCCESSFUL", "DISABLED")
