"""S3, Systems Manager's parameters, Secrets Manager, SNS and SQS."""

from __future__ import annotations

import json
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped, unless
from drydock.services.cloudformation.types.identity import document


class Bucket(ResourceType):
    name = "AWS::S3::Bucket"
    service = "s3"
    passes = (
        "BucketName", "AccessControl", "VersioningConfiguration", "PublicAccessBlockConfiguration", "BucketEncryption",
        "OwnershipControls", "Tags",
    )  # fmt: skip
    whole = False
    _absent = ("NoSuchBucket", "404", "NotFound")
    settings = (
        ("VersioningConfiguration", "PutBucketVersioning", "VersioningConfiguration", ""),
        (
            "PublicAccessBlockConfiguration",
            "PutPublicAccessBlock",
            "PublicAccessBlockConfiguration",
            "DeletePublicAccessBlock",
        ),
        ("BucketEncryption", "PutBucketEncryption", "ServerSideEncryptionConfiguration", "DeleteBucketEncryption"),
        ("OwnershipControls", "PutBucketOwnershipControls", "OwnershipControls", "DeleteBucketOwnershipControls"),
    )
    """Property, operation, its parameter, the operation that takes it away"""
    renamed = {
        "ServerSideEncryptionConfiguration": "Rules",
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
    }

    def _name(self, work: Work) -> str:
        return work.name("BucketName", 63, lower=True)

    async def create(self, work: Work) -> None:
        name = self._name(work)
        given: Params = {"Bucket": name}
        if await unless(self._absent, work.call("s3", "HeadBucket", **given)):
            raise AwsError("BucketAlreadyExists", f"{name} already exists", 409)
        if work.region != "us-east-1":
            given["CreateBucketConfiguration"] = {"LocationConstraint": work.region}
        acl = work.properties.get("AccessControl")
        if acl:
            words = {"LogDeliveryWrite": "log-delivery-write", "PublicReadWrite": "public-read-write"}
            words |= {"Private": "private", "PublicRead": "public-read", "AuthenticatedRead": "authenticated-read"}
            words |= {"BucketOwnerRead": "bucket-owner-read", "BucketOwnerFullControl": "bucket-owner-full-control"}
            given["ACL"] = words.get(acl, acl)
        await work.call("s3", "CreateBucket", **given)
        work.made(name)
        await self._set(work, {})

    def _cast(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.renamed.get(key, key): self._cast(one) for key, one in value.items()}
        return [self._cast(one) for one in value] if isinstance(value, list) else value

    async def _set(self, work: Work, old: Params) -> None:
        for name, operation, member, take_away in self.settings:
            value = work.properties.get(name)
            if value == old.get(name):
                continue
            if value is None and take_away:
                await work.call("s3", take_away, Bucket=work.physical_id)
            elif value is None:
                await work.call("s3", operation, Bucket=work.physical_id, **{member: {"Status": "Suspended"}})
            else:
                given = shaped("s3", operation, {member: self._cast(value)})
                await work.call("s3", operation, Bucket=work.physical_id, **given)
        if work.user_tags:
            await work.call("s3", "PutBucketTagging", Bucket=work.physical_id, Tagging={"TagSet": work.user_tags})
        elif old.get("Tags"):
            await work.call("s3", "DeleteBucketTagging", Bucket=work.physical_id)

    async def find(self, work: Work) -> str:
        name = self._name(work)
        return name if await unless(self._absent, work.call("s3", "HeadBucket", Bucket=name)) else ""

    async def read(self, work: Work) -> Params:
        name, region = work.physical_id, work.region
        return {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{region}.amazonaws.com",
        }

    async def update(self, work: Work) -> None:
        if work.changed("AccessControl"):
            raise Failed("Drydock cannot change AccessControl of a bucket in place.")
        await self._set(work, work.old)

    async def delete(self, work: Work) -> None:
        if not await unless(self._absent, work.call("s3", "DeleteBucket", Bucket=work.physical_id)):
            raise NotFound


class BucketPolicy(ResourceType):
    name = "AWS::S3::BucketPolicy"
    service = "s3"
    passes = ("Bucket", "PolicyDocument")

    async def create(self, work: Work) -> None:
        await self.update(work)
        work.made(text_of(work.properties["Bucket"]))

    async def update(self, work: Work) -> None:
        text = document(work.properties["PolicyDocument"])
        await work.call("s3", "PutBucketPolicy", Bucket=work.properties["Bucket"], Policy=text)

    async def delete(self, work: Work) -> None:
        absent = ("NoSuchBucket", "NoSuchBucketPolicy")
        if not await unless(absent, work.call("s3", "DeleteBucketPolicy", Bucket=work.physical_id)):
            raise NotFound


class Parameter(ResourceType):
    name = "AWS::SSM::Parameter"
    service = "ssm"
    passes = ("Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Tags")
    names = ("Type", "Value", "Description", "AllowedPattern", "Tier", "DataType")

    def _name(self, work: Work) -> str:
        return work.name("Name", 1011)

    async def create(self, work: Work) -> None:
        name = self._name(work)
        tags = {"Tags": work.user_tags} if work.user_tags else {}
        given = shaped("ssm", "PutParameter", {"Name": name, **picked(work.properties, *self.names)})
        await work.call("ssm", "PutParameter", **given, **tags, Overwrite=False)
        work.made(name)

    async def find(self, work: Work) -> str:
        name = self._name(work)
        there = await unless(("ParameterNotFound",), work.call("ssm", "GetParameter", Name=name))
        return name if there else ""

    async def read(self, work: Work) -> Params:
        parameter = (await work.call("ssm", "GetParameter", Name=work.physical_id))["Parameter"]
        return {"Type": parameter["Type"], "Value": parameter["Value"]}

    async def update(self, work: Work) -> None:
        given = shaped("ssm", "PutParameter", {"Name": work.physical_id, **picked(work.properties, *self.names)})
        await work.call("ssm", "PutParameter", **given, Overwrite=True)
        if work.changed("Tags"):
            where = {"ResourceType": "Parameter", "ResourceId": work.physical_id}
            gone = [key for key in work.old.get("Tags") or {} if key not in (work.properties.get("Tags") or {})]
            if gone:
                await work.call("ssm", "RemoveTagsFromResource", **where, TagKeys=gone)
            if work.user_tags:
                await work.call("ssm", "AddTagsToResource", **where, Tags=work.user_tags)

    async def delete(self, work: Work) -> None:
        call = work.call("ssm", "DeleteParameter", Name=work.physical_id)
        if not await unless(("ParameterNotFound",), call):
            raise NotFound


class Secret(ResourceType):
    name = "AWS::SecretsManager::Secret"
    service = "secretsmanager"
    passes = ("Name", "Description", "KmsKeyId", "SecretString", "GenerateSecretString", "Tags")
    replaces = frozenset({"GenerateSecretString"})
    _absent = ("ResourceNotFoundException",)

    def _name(self, work: Work) -> str:
        return work.name("Name", 512)

    async def create(self, work: Work) -> None:
        given = {"Name": self._name(work), **picked(work.properties, "Description", "KmsKeyId")}
        text = await self._text(work)
        tags = {"Tags": work.user_tags} if work.user_tags else {}
        answer = await work.call("secretsmanager", "CreateSecret", **given, SecretString=text, **tags)
        work.made(answer["ARN"])

    async def _text(self, work: Work) -> str:
        generate = work.properties.get("GenerateSecretString")
        if generate is None:
            return text_of(work.properties.get("SecretString", ""))
        if "SecretString" in work.properties:
            raise Failed("You can't specify both SecretString and GenerateSecretString.")  # (?)
        options = {k: v for k, v in generate.items() if k not in ("SecretStringTemplate", "GenerateStringKey")}
        given = shaped("secretsmanager", "GetRandomPassword", options)
        password = (await work.call("secretsmanager", "GetRandomPassword", **given))["RandomPassword"]
        if "SecretStringTemplate" not in generate:
            return str(password)
        try:
            whole = json.loads(generate["SecretStringTemplate"])
            whole[generate["GenerateStringKey"]] = password
        except (ValueError, KeyError, TypeError):
            raise Failed("SecretStringTemplate must be a JSON object, and GenerateStringKey be given.") from None  # (?)
        return json.dumps(whole)

    async def find(self, work: Work) -> str:
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("secretsmanager", "DescribeSecret", SecretId=self._name(work)))

        there = await unless(self._absent, look())
        return str(found["ARN"]) if there and not found.get("DeletedDate") else ""

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def update(self, work: Work) -> None:
        secret = {"SecretId": work.physical_id}
        if any(work.changed(name) for name in ("Description", "KmsKeyId", "SecretString")):
            given = picked(work.properties, "Description", "KmsKeyId", "SecretString")
            await work.call("secretsmanager", "UpdateSecret", **secret, **given)
        if work.changed("Tags"):
            gone = [one["Key"] for one in work.old.get("Tags") or []]
            if gone:
                await work.call("secretsmanager", "UntagResource", **secret, TagKeys=gone)
            if work.user_tags:
                await work.call("secretsmanager", "TagResource", **secret, Tags=work.user_tags)

    async def delete(self, work: Work) -> None:
        given = {"SecretId": work.physical_id, "ForceDeleteWithoutRecovery": True}
        if not await unless(self._absent, work.call("secretsmanager", "DeleteSecret", **given)):
            raise NotFound


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
        if await self.find(work):
            raise AwsError("AlreadyExists", f"{self._arn(work)} already exists", 400)
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
            gone = [one["Key"] for one in work.old.get("Tags") or []]
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
        if await self.find(work):
            raise AwsError("QueueAlreadyExists", f"Queue {name} already exists", 400)
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
            gone = [one["Key"] for one in work.old.get("Tags") or []]
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


TYPES: tuple[type[ResourceType], ...] = (
    Bucket, BucketPolicy, Parameter, Secret, Topic, Subscription, Queue, QueuePolicy,
)  # fmt: skip
