"""Composite alarms follow the alarms that they speak of."""

from __future__ import annotations

import json

from tests.services.cloudwatch.alarm_lab import ACCOUNT, POLICY, REGION, TOPIC

ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"


async def put(lab, name: str = "both", rule: str = "ALARM(a) AND ALARM(b)", **more) -> None:
    await lab("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)


def test_a_composite_alarm_follows_its_children(lab) -> None:
    async def story() -> None:
        await lab.put("a", MetricName="A")
        await lab.put("b", MetricName="B")
        await put(lab, AlarmActions=[TOPIC], OKActions=[TOPIC])
        await lab.quiet()
        shown = await lab.alarm("both")
        assert (shown["StateValue"], shown["StateReason"]) == (
            "OK", f"{ARN}both was created and its alarm rule evaluates to OK",
        )  # fmt: skip
        await lab.minute(90.0, "A")
        assert await lab.state("both") == "OK"
        lab.metrics.given["B"] = dict.fromkeys(lab.metrics.given["A"], 90.0)
        await lab.minute(90.0, "A")
        shown = await lab.alarm("both")
        assert shown["StateValue"] == "ALARM"
        assert shown["StateReason"] == f"{ARN}b transitioned to ALARM at Friday 27 November, 2026 12:02:00 UTC"
        data = json.loads(shown["StateReasonData"])["triggeringAlarms"]
        assert [(one["arn"], one["state"]["value"]) for one in data] == [(f"{ARN}b", "ALARM"), (f"{ARN}a", "ALARM")]
        await lab.minute(10.0, "A")
        assert await lab.state("both") == "OK"
        told = lab.published()
        assert [message["NewStateValue"] for message in told] == ["OK", "ALARM", "OK"]
        assert told[1]["AlarmRule"] == "ALARM(a) AND ALARM(b)"
        assert [child["Arn"] for child in told[1]["TriggeringChildren"]] == [f"{ARN}b", f"{ARN}a"]
        assert "Trigger" not in told[1]

    lab.play(story)


def test_composite_alarms_of_composite_alarms(lab) -> None:
    async def story() -> None:
        await lab.put("a")
        await put(lab, "inner", f'ALARM("{ARN}a")')
        await put(lab, "outer", "NOT OK(inner)")
        await lab.minute(90.0)
        assert [await lab.state(name) for name in ("inner", "outer")] == ["ALARM", "ALARM"]
        await put(lab, "outer", "FALSE")
        shown = await lab.alarm("outer")
        assert shown["StateReason"] == f"{ARN}outer was updated and its alarm rule evaluates to OK"

    lab.play(story)


def test_what_is_refused(lab) -> None:
    async def story() -> None:
        await lab.put("a")
        for given, message in (
            ({"AlarmRule": "ALARM(a) OR ALARM(x) OR OK(y)"},
                "Could not save the composite alarm as alarms [x, y] in the alarm rule do not exist"),
            ({"AlarmRule": " TRUE"}, "AlarmRule must not contain leading or trailing whitespace or be null"),
            ({"AlarmRule": "ALARM(a) AND"}, "AlarmRule"),
            ({"AlarmRule": "TRUE", "ActionsSuppressor": "a"}, "ActionsSuppressorWaitPeriod"),
            ({"AlarmRule": "TRUE", "ActionsSuppressorWaitPeriod": 1}, "ActionsSuppressor"),
            ({"AlarmRule": "TRUE", "AlarmActions": [POLICY]}, POLICY),
            ({"AlarmRule": "TRUE", "ActionsSuppressor": "x", "ActionsSuppressorWaitPeriod": 1,
                "ActionsSuppressorExtensionPeriod": 1}, "[x]"),
        ):  # fmt: skip
            code, found = await lab.refused("PutCompositeAlarm", AlarmName="c", **given)
            assert code == "ValidationError"
            assert message in found
        assert (await lab.refused("PutCompositeAlarm", AlarmName="a", AlarmRule="TRUE"))[0] == "ValidationError"
        assert (await lab("DescribeAlarms", AlarmTypes=["CompositeAlarm"]))["CompositeAlarms"] == []

    lab.play(story)


def test_alarms_that_depend_on_themselves_stay_as_they_are(lab) -> None:
    """AWS takes cycles, does not evaluate them, and deletes none of their alarms."""

    async def story() -> None:
        await put(lab, "x", "FALSE")
        await put(lab, "y", "ALARM(x)")
        await put(lab, "x", "NOT ALARM(y)")
        assert [await lab.state(name) for name in "xy"] == ["OK", "OK"]
        for name in "xy":
            assert (await lab.refused("DeleteAlarms", AlarmNames=[name]))[0] == "ValidationError"
        await put(lab, "x", "FALSE")
        await lab("DeleteAlarms", AlarmNames=["y"])
        await lab("DeleteAlarms", AlarmNames=["x"])

    lab.play(story)


def test_a_suppressor_holds_actions_back_until_it_is_over(lab) -> None:
    async def story() -> None:
        await lab.put("a", MetricName="A")
        await lab.put("maintenance", MetricName="M")
        await put(
            lab, "c", "ALARM(a)", AlarmActions=[TOPIC], ActionsSuppressor="maintenance", ActionsSuppressorWaitPeriod=30,
            ActionsSuppressorExtensionPeriod=30,
        )  # fmt: skip
        await lab.minute(90.0, "M")
        lab.metrics.given["M"] |= {at + 60: 90.0 for at in lab.metrics.given["M"]}
        await lab.minute(90.0, "A")
        shown = await lab.alarm("c")
        assert (shown["StateValue"], shown["ActionsSuppressedBy"]) == ("ALARM", "Alarm")
        assert lab.published() == []
        lab.metrics.given["M"] |= {max(lab.metrics.given["M"]) + 60: 1.0}
        await lab.minute(90.0, "A")
        assert (await lab.alarm("c"))["ActionsSuppressedBy"] == "ExtensionPeriod"
        assert lab.service.alarm_controller.finest(ACCOUNT) == 10
        lab.clocks.of(ACCOUNT).advance(31)
        await lab.evaluate()
        assert "ActionsSuppressedBy" not in await lab.alarm("c")
        assert [(m["OldStateValue"], m["NewStateValue"]) for m in lab.published()] == [("OK", "ALARM")]

    lab.play(story)


def test_going_to_alarm_it_waits_for_its_suppressor(lab) -> None:
    async def story() -> None:
        await lab.put("a")
        await lab.put("s", MetricName="S")
        await put(
            lab, "c", "ALARM(a)", AlarmActions=[TOPIC], ActionsSuppressor="s", ActionsSuppressorWaitPeriod=90,
            ActionsSuppressorExtensionPeriod=0,
        )  # fmt: skip
        await lab.minute(90.0)
        assert (await lab.alarm("c"))["ActionsSuppressedBy"] == "WaitPeriod"
        assert lab.published() == []
        await lab.minute(90.0)
        assert lab.published() == []
        await lab.minute(90.0)
        assert len(lab.published()) == 1

    lab.play(story)
