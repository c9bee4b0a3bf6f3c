"""What alarms do through other services: SNS topics, EC2 instances."""

from __future__ import annotations

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.cloudwatch import alarm_documents as documents
from drydock.services.cloudwatch.actions import Actions
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.iam.evaluation import Caller, lets_service
from drydock.services.iam.patterns import ContextValue
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
        """Tell a topic, if its policy lets CloudWatch. Raises AwsError."""
        principal = Principal.of_service(signal.scope.account, CLOUDWATCH)
        region = arn.split(":")[3]
        told = await self._platform.call(principal, region, "sns", "GetTopicAttributes", {"TopicArn": arn})
        policy = told.get("Attributes", {}).get("Policy")
        if policy and not may_publish(policy, arn, signal):
            raise AwsError(
                "AuthorizationError",
                f"CloudWatch Alarms is not authorized to perform: SNS:Publish on resource: {arn} because no resource-based "
                "policy allows the SNS:Publish action",
            )
        params = {"TopicArn": arn, "Subject": documents.subject(signal), "Message": documents.message(signal)}
        await self._platform.call(principal, region, "sns", "Publish", params)

    async def operate(self, arn: str, signal: AlarmSignal) -> None:
        """Stop, terminate or reboot the instance that the metric is of. Raises AwsError."""
        operation = _EC2[arn.split(":")[5]]
        dimensions = {one["Name"]: one["Value"] for one in signal.alarm.get("Dimensions", [])}
        if "InstanceId" not in dimensions:
            raise AwsError("ValidationError", "The alarm's metric has no dimension InstanceId.")
        principal = Principal.of_service(signal.scope.account, CLOUDWATCH)
        params = {"InstanceIds": [dimensions["InstanceId"]]}
        await self._platform.call(principal, signal.scope.region, "ec2", operation, params)


def may_publish(policy: str, topic: str, signal: AlarmSignal) -> bool:
    """What a topic's policy says of an alarm. The one that SNS makes lets in whoever acts for the topic's owner, so
    CloudWatch too; a policy of one's own must name cloudwatch.amazonaws.com."""
    caller = Caller(signal.scope.account, service=CLOUDWATCH)
    context: dict[str, ContextValue] = {
        "aws:sourcearn": signal.arn,
        "aws:sourceaccount": signal.scope.account,
        "aws:sourceowner": signal.scope.account,
        "aws:securetransport": "true",
    }
    return lets_service(policy, "sns:Publish", topic, caller, context)
