"""For each exercise, answers that are wrong, and what its check must say of them: a check that cannot fail is worth
nothing. Each runs after the chapter's own solutions, in the same account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    """``code`` assigns ``answer``; the check's text must have ``said`` in it."""

    exercise: str
    code: str
    said: str


def _limits(members: str) -> str:
    """Chapter 04: the report under other limits."""
    return (
        "wrong = from_file('report.json'); wrong['containerDefinitions'][0].pop('memory')\n"
        f"wrong['containerDefinitions'][0] |= dict({members})\n"
        "ecs.register_task_definition(**wrong); answer = run('lab04-report')['taskArn']"
    )


def _shop(paths: list[str], condition: str | None, read_only: bool = False) -> str:
    """Chapter 04: the shop with the volume mounted there, waiting so."""
    lines = [
        "wrong = from_file('shop.json'); wrong['volumes'] = [{'name': 'data'}]",
        "writes, reads = wrong['containerDefinitions']; writes['essential'] = False",
        f"writes['mountPoints'] = [dict(sourceVolume='data', containerPath={paths[0]!r}, readOnly={read_only})]",
        f"reads['mountPoints'] = [dict(sourceVolume='data', containerPath={paths[1]!r})]",
    ]
    if condition:
        lines.append(f"reads['dependsOn'] = [dict(containerName='prices', condition={condition!r})]")
    return "\n".join([*lines, "ecs.register_task_definition(**wrong); answer = run('lab04-shop')['taskArn']"])


WRONG: dict[str, list[WrongAnswer]] = {
    "00": [
        WrongAnswer("greeting", 'answer = run("lab00-greeter")["taskArn"]', "NAME was never set"),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "environment": '
            '[{"name": "Name", "value": "Ada"}]}]})["taskArn"]',
            "overrides only Name",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "environment": '
            '[{"name": "NAME", "value": ""}]}]})["taskArn"]',
            "NAME is set, but empty",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "command": '
            '["python", "-c", "raise SystemExit(5)"], "environment": [{"name": "NAME", "value": "Ada"}]}]})["taskArn"]',
            "ended with exit code 5",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "command": '
            '["python", "-c", "print(1)"], "environment": [{"name": "NAME", "value": "Ada"}]}]})["taskArn"]',
            "and not 'Hello, Ada!'",
        ),
        WrongAnswer("greeting", "answer = here.task", "made from lab00-hello:1, not from lab00-greeter"),
        WrongAnswer("greeting", 'answer = "Ada"', "'Ada' is not the ARN of a task"),
        WrongAnswer("greeting", 'answer = here.task[:-4] + "0000"', "has no such task"),
        WrongAnswer(
            "greeting",
            'answer = ecs.run_task(cluster="lab00", taskDefinition="lab00-greeter", launchType="FARGATE", '
            'networkConfiguration=network)["tasks"][0]["taskArn"]',
            "the task is still",
        ),
        WrongAnswer("nightly", 'answer = failed["taskArn"]', "its container never ran: ResourceInitializationError"),
        WrongAnswer("nightly", "answer = greeting", "not from lab00-nightly"),
        WrongAnswer(
            "nightly",
            'answer = run("lab00-nightly", overrides={"containerOverrides": [{"name": "report", "command": '
            '["python", "-c", "pass"]}]})["taskArn"]',
            "but its log has []",
        ),
    ],
    "04": [
        WrongAnswer("report", 'answer = died["taskArn"]', "its hard limit is 100 MiB, while it loads 160 MiB"),
        WrongAnswer("report", _limits("memoryReservation=200"), "the container has no hard limit"),
        WrongAnswer("report", _limits("memory=300"), "nothing is set aside"),
        WrongAnswer("report", _limits("memoryReservation=64, memory=300"), "only 64 MiB are set aside"),
        WrongAnswer("report", _limits("memoryReservation=200, memory=450"), "may take 450 of the task's 512 MiB"),
        WrongAnswer("report", _limits("memoryReservation=256, memory=256"), "nothing beyond the soft one"),
        WrongAnswer(
            "report",
            _limits("memoryReservation=200, memory=300, command=['python', '-c', 'pass']"),
            "the program of 'report' is another one",
        ),
        WrongAnswer("report", "answer = shop", "made from lab04-shop"),
        WrongAnswer("report", "answer = first", "not from lab04-report"),
        WrongAnswer("report", "answer = 128", "128 is not the ARN of a task"),
        WrongAnswer("shop", 'answer = closed["taskArn"]', "container 'prices' has no volume at /data"),
        WrongAnswer("shop", _shop(["/data", "/data"], None), "nothing makes the shop wait"),
        WrongAnswer("shop", _shop(["/data", "/tmp/data"], "SUCCESS"), "container 'shop' has no volume at /data"),
        WrongAnswer("shop", _shop(["/data", "/data"], "COMPLETE"), "waits for COMPLETE of the prices"),
        WrongAnswer("shop", _shop(["/data", "/data"], "SUCCESS", read_only=True), "prices ended with exit code 1"),
        WrongAnswer("shop", 'answer = start("lab04-shop")', "the task is still"),
    ],
}
