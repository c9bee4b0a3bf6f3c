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
}
