"""What alarms do through other services: SNS topics, EC2 instances."""

from __future__ import annotations

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.cloudwatch import alarm_documents as documents
from drydock.services.cloudwatch.actions import Actions
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.service import Platform

CLOUDWATCH = "cloudwatch.amazonaws.com"
_EC2 = {"stop": "StopInstances", "terminate": "TerminateInstances", "reboot": "RebootInstances"}


class OwnActions:
    """Handlers for :class:`~drydock.services.cloudwatch.actions.Actions`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def put_into(self, actions: Actions) -> None:
        """Register them."""
        actions.handlers |= {"sns": self.publish, "automate": self.operate}

    async def publish(self, arn: str, signal: AlarmSignal) -> None:
        """Tell a topic. Raises AwsError."""
        params = {"TopicArn": arn, "Subject": documents.subject(signal), "Message": documents.message(signal)}
        principal = Principal.of_service(signal.scope.account, CLOUDWATCH)
        await self._platform.call(principal, arn.split(":")[3], "sns", "Publish", params)

    async def operate(self, arn: str, signal: AlarmSignal) -> None:
        """Stop, terminate or reboot the instance that the metric is of. Raises AwsError."""
        operation = _EC2[arn.split(":")[5]]
        dimensions = {one["Name"]: one["Value"] for one in signal.alarm.get("Dimensions", [])}
        if "InstanceId" not in dimensions:
            raise AwsError("ValidationError", "The alarm's metric has no dimension InstanceId.")
        principal = Principal.of_service(signal.scope.account, CLOUDWATCH)
        params = {"InstanceIds": [dimensions["InstanceId"]]}
        await self._platform.call(principal, signal.scope.region, "ec2", operation, params)
