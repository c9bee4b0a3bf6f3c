"""SNS and SQS."""

from __future__ import annotations

import json
from typing import Any

from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, unless
from drydock.services.cloudformation.types.identity import document


class Topic(ResourceType):
    name = "AWS::SNS::Topic"
    service = "sns"
    attributes = ("DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication", "FifoTopic", "SignatureVersion")
    passes = ("TopicName", *attributes, "Subscription", "Tags")
    replaces = frozenset({"Subscription"})
    whole = False
    _absent = ("NotFound", "NotFoundException")

    def _name(self, work: Work) -> str:
        fifo = text_of(work.properties.get("FifoTopic", False)) == "true" and "TopicName" not in work.properties
        return work.name("TopicName", 251 if fifo else 256) + (".fifo" if fifo else "")

    def _arn(self, work: Work) -> str:
        return f"arn:aws:sns:{work.region}:{work.account}:{self._name(work)}"

    async def create(self, work: Work) -> None:
        attributes = {name: text_of(work.properties[name]) for name in self.attributes if name in work.properties}
        given = {"Name": self._name(work), "Attributes": attributes}
        tags = {"Tags": work.user_tags} if work.user_tags else {}
        answer = await work.call("sns", "CreateTopic", **given, **tags)
        work.made(answer["TopicArn"])
        for one in work.properties.get("Subscription") or []:
            await work.call("sns", "Subscribe", TopicArn=work.physical_id, **picked(one, "Protocol", "Endpoint"))

    async def find(self, work: Work) -> str:
        arn = self._arn(work)
        return arn if await unless(self._absent, work.call("sns", "GetTopicAttributes", TopicArn=arn)) else ""

    async def read(self, work: Work) -> Params:
        return {"TopicArn": work.physical_id, "TopicName": work.physical_id.rpartition(":")[2]}

    async def update(self, work: Work) -> None:
        for name in self.attributes:
            if work.changed(name):
                value = text_of(work.properties.get(name, ""))
                given = {"AttributeName": name, "AttributeValue": value}
                await work.call("sns", "SetTopicAttributes", TopicArn=work.physical_id, **given)
        if work.changed("Tags"):
            gone = work.gone_tags
            if gone:
                await work.call("sns", "UntagResource", ResourceArn=work.physical_id, TagKeys=gone)
            if work.user_tags:
                await work.call("sns", "TagResource", ResourceArn=work.physical_id, Tags=work.user_tags)

    async def delete(self, work: Work) -> None:
        if not await self.find_by_id(work):
            raise NotFound
        listed = await work.call("sns", "ListSubscriptionsByTopic", TopicArn=work.physical_id)
        for one in listed.get("Subscriptions", []):
            if work.properties.get("Subscription"):
                await work.call("sns", "Unsubscribe", SubscriptionArn=one["SubscriptionArn"])
        await work.call("sns", "DeleteTopic", TopicArn=work.physical_id)

    async def find_by_id(self, work: Work) -> bool:
        """Whether it is there."""
        return await unless(self._absent, work.call("sns", "GetTopicAttributes", TopicArn=work.physical_id))


class Subscription(ResourceType):
    name = "AWS::SNS::Subscription"
    service = "sns"
    unique = False
    attributes = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "DeliveryPolicy", "RedrivePolicy")
    passes = ("TopicArn", "Protocol", "Endpoint", *attributes)
    _absent = ("NotFound", "NotFoundException")

    def _attribute(self, work: Work, name: str) -> str:
        value = work.properties.get(name, "")
        return json.dumps(value) if isinstance(value, dict) else text_of(value)

    async def create(self, work: Work) -> None:
        attributes = {name: self._attribute(work, name) for name in self.attributes if name in work.properties}
        given = picked(work.properties, "TopicArn", "Protocol", "Endpoint")
        answer = await work.call("sns", "Subscribe", **given, Attributes=attributes, ReturnSubscriptionArn=True)
        work.made(answer["SubscriptionArn"])

    async def find(self, work: Work) -> str:
        listed = await work.call("sns", "ListSubscriptionsByTopic", TopicArn=work.properties["TopicArn"])
        for one in listed.get("Subscriptions", []):
            if picked(one, "Protocol", "Endpoint") == picked(work.properties, "Protocol", "Endpoint"):
                return str(one["SubscriptionArn"])
        return ""

    async def read(self, work: Work) -> Params:
        return {"Arn": work.physical_id}

    async def update(self, work: Work) -> None:
        for name in self.attributes:
            if work.changed(name):
                given = {"AttributeName": name, "AttributeValue": self._attribute(work, name)}
                await work.call("sns", "SetSubscriptionAttributes", SubscriptionArn=work.physical_id, **given)

    async def delete(self, work: Work) -> None:
        if not await unless(self._absent, work.call("sns", "Unsubscribe", SubscriptionArn=work.physical_id)):
            raise NotFound


class Queue(ResourceType):
    name = "AWS::SQS::Queue"
    service = "sqs"
    attributes = (
        "DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy",
        "RedriveAllowPolicy", "VisibilityTimeout", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope",
        "FifoThroughputLimit", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
    )  # fmt: skip
    passes = ("QueueName", *attributes, "Tags")
    _absent = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    _defaults = {"DelaySeconds": "0", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600"}
    _defaults |= {"MaximumMessageSize": "262144", "ReceiveMessageWaitTimeSeconds": "0"}

    def _name(self, work: Work) -> str:
        fifo = work.properties.get("FifoQueue") is True and "QueueName" not in work.properties
        return work.name("QueueName", 75 if fifo else 80) + (".fifo" if fifo else "")

    def _attribute(self, value: Any) -> str:
        return json.dumps(value) if isinstance(value, dict) else text_of(value)

    async def create(self, work: Work) -> None:
        name = self._name(work)
        attributes = {key: self._attribute(work.properties[key]) for key in self.attributes if key in work.properties}
        tags = {one["Key"]: one["Value"] for one in work.user_tags}
        answer = await work.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes, tags=tags)
        work.made(answer["QueueUrl"])

    async def find(self, work: Work) -> str:
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("sqs", "GetQueueUrl", QueueName=self._name(work)))

        return str(found["QueueUrl"]) if await unless(self._absent, look()) else ""

    async def read(self, work: Work) -> Params:
        name = work.physical_id.rpartition("/")[2]
        arn = f"arn:aws:sqs:{work.region}:{work.account}:{name}"
        return {"Arn": arn, "QueueName": name, "QueueUrl": work.physical_id}

    async def update(self, work: Work) -> None:
        changed = {
            name: self._attribute(work.properties.get(name, self._defaults.get(name, "")))
            for name in self.attributes
            if work.changed(name)
        }
        if changed:
            await work.call("sqs", "SetQueueAttributes", QueueUrl=work.physical_id, Attributes=changed)
        if work.changed("Tags"):
            gone = work.gone_tags
            if gone:
                await work.call("sqs", "UntagQueue", QueueUrl=work.physical_id, TagKeys=gone)
            if work.user_tags:
                tags = {one["Key"]: one["Value"] for one in work.user_tags}
                await work.call("sqs", "TagQueue", QueueUrl=work.physical_id, Tags=tags)

    async def delete(self, work: Work) -> None:
        if not await unless(self._absent, work.call("sqs", "DeleteQueue", QueueUrl=work.physical_id)):
            raise NotFound


class QueuePolicy(ResourceType):
    name = "AWS::SQS::QueuePolicy"
    service = "sqs"
    passes = ("Queues", "PolicyDocument")

    async def _put(self, work: Work, queue: str, text: str) -> bool:
        call = work.call("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": text})
        return await unless(("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist") if not text else (), call)

    async def create(self, work: Work) -> None:
        await self.update(work)
        work.made(f"{work.stack_name[:4]}-{work.logical_id[:4]}-{work.token}")

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def update(self, work: Work) -> None:
        for queue in work.old.get("Queues") or []:
            if queue not in work.properties["Queues"]:
                await self._put(work, queue, "")
        for queue in work.properties["Queues"]:
            await self._put(work, queue, document(work.properties["PolicyDocument"]))

    async def delete(self, work: Work) -> None:
        for queue in work.properties["Queues"]:
            await self._put(work, queue, "")


TYPES: tuple[type[ResourceType], ...] = (Topic, Subscription, Queue, QueuePolicy)
