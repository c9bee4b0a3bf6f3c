"""S3, Systems Manager's parameters, Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

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
            gone = work.gone_tags
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
            gone = work.gone_tags
            if gone:
                await work.call("secretsmanager", "UntagResource", **secret, TagKeys=gone)
            if work.user_tags:
                await work.call("secretsmanager", "TagResource", **secret, Tags=work.user_tags)

    async def delete(self, work: Work) -> None:
        given = {"SecretId": work.physical_id, "ForceDeleteWithoutRecovery": True}
        if not await unless(self._absent, work.call("secretsmanager", "DeleteSecret", **given)):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (Bucket, BucketPolicy, Parameter, Secret)
