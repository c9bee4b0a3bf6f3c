"""Writes docs/operations.md from what the services have: ``python -m tests.docs.operations``."""

from __future__ import annotations

from botocore import xform_name
from drydock.gateway.models import FROM_MOTO, LACKING, OWN, operation_names
from drydock.services.application_autoscaling.api import ApplicationAutoScaling
from drydock.services.autoscaling.api import AutoScaling
from drydock.services.cloudformation.api import CloudFormation
from drydock.services.cloudwatch.api import CloudWatch
from drydock.services.ec2.api import Ec2
from drydock.services.ecs.api import Ecs
from drydock.services.elbv2.api import Elbv2
from drydock.services.functions.api import Lambda
from drydock.services.iam.api import Iam
from drydock.services.logs.api import Logs
from drydock.services.service import Service
from drydock.services.sns import Sns
from drydock.services.ssm.api import Ssm
from drydock.services.sts.api import Sts

from tests.emulator_process import ROOT

PAGE = ROOT / "docs" / "operations.md"
CLASSES: list[type[Service]] = [ApplicationAutoScaling, CloudFormation, CloudWatch, Ecs, Elbv2, Iam, Logs, Sts]
OVER_MOTO: list[type[Service]] = [AutoScaling, Ec2, Lambda, Sns, Ssm]
"""Some operations of theirs are ours, the others moto's"""


def page() -> str:
    """The whole page."""
    lines = [
        "# Operations",
        "",
        "Written by `python -m tests.docs.operations`; a test fails when it is out of date. What is not listed is answered",
        "with `501 NotImplemented`.",
        "",
    ]
    for kind in sorted(CLASSES, key=lambda kind: kind.name):
        names = _ours(kind)
        lines += [f"## {kind.name} ({len(names)} of {len(operation_names(kind.name))})", "", ", ".join(names) + ".", ""]
    lines += [
        "## Supporting services",
        "",
        f"{', '.join(sorted(FROM_MOTO))}: the control planes of moto. An operation that moto lacks, or only pretends to do, is",
        "answered with 501. Instances really run, and groups keep them. Ours, and not moto's, are:",
        "",
        *(f"- {kind.name}: {', '.join(_ours(kind))}." for kind in OVER_MOTO),
        "",
        "## Recognised, not there yet",
        "",
        ", ".join(sorted(LACKING)) + ".",
        "",
    ]
    return "\n".join(lines)


def _ours(kind: type[Service]) -> list[str]:
    return sorted(name for name in operation_names(kind.name) if hasattr(kind, xform_name(name)))


if __name__ == "__main__":
    assert {kind.name for kind in CLASSES} == set(OWN)
    PAGE.write_text(page())
