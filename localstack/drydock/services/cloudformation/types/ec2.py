"""What the types of EC2 share."""

from __future__ import annotations

from typing import ClassVar

from drydock.errors import AwsError
from drydock.services.cloudformation.types.base import (
    LOGICAL_ID,
    STACK_ID,
    NotFound,
    Params,
    ResourceType,
    Work,
    picked,
    shaped,
    unless,
)


class Ec2Type(ResourceType):
    """One that EC2 describes by its id: made by one operation, found again by CloudFormation's tags."""

    service = "ec2"
    creates: ClassVar[tuple[str, str, str]]
    """Operation, and where its answer has the id: member, id"""
    describes: ClassVar[tuple[str, str, str]]
    """Operation, its parameter for ids, the answer's member"""
    deletes: ClassVar[tuple[str, str]]
    """Operation, its parameter for the id"""
    tagged: ClassVar[str]
    """The resource type in tag specifications"""
    code: ClassVar[str]
    """Of the error for an unknown id"""

    def params(self, work: Work) -> Params:
        """Of the creation."""
        names = [name for name in self.passes if name not in ("Tags", *self.after)]
        return shaped("ec2", self.creates[0], picked(work.properties, *names))

    after: ClassVar[tuple[str, ...]] = ()
    """Properties that are set after the creation"""

    async def create(self, work: Work) -> None:
        operation, member, id_ = self.creates
        answer = await work.call("ec2", operation, **self.params(work), TagSpecifications=self.specification(work))
        work.made((answer[member] if member else answer)[id_])

    def specification(self, work: Work) -> list[Params]:
        """TagSpecifications."""
        return [{"ResourceType": self.tagged, "Tags": work.tags}]

    async def find(self, work: Work) -> str:
        operation, _, member = self.describes
        pairs = ((STACK_ID, work.stack_id), (LOGICAL_ID, work.logical_id))
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in pairs]
        answer = await work.call("ec2", operation, Filters=filters)
        ids = [str(one[self.creates[2]]) for one in answer.get(member, []) if not self.ended(one)]
        return next((one for one in ids if one not in work.others), "")

    def ended(self, described: Params) -> bool:
        """Whether it is only remembered."""
        return described.get("State") in ("deleted", "deleting")

    async def described(self, work: Work) -> Params:
        """Its description. Raises NotFound."""
        operation, parameter, member = self.describes
        try:
            answer = await work.call("ec2", operation, **{parameter: [work.physical_id]})
        except AwsError as error:
            if error.code == self.code:
                raise NotFound from None
            raise
        found = [one for one in answer.get(member, []) if not self.ended(one)]
        if not found:
            raise NotFound
        return dict(found[0])

    async def update(self, work: Work) -> None:
        await retag(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        operation, parameter = self.deletes
        if not await unless((self.code,), work.call("ec2", operation, **{parameter: work.physical_id})):
            raise NotFound


async def retag(work: Work, *ids: str) -> None:
    """The tags that were changed, put on EC2's resources."""
    if not work.changed("Tags"):
        return
    gone = [{"Key": key} for key in work.gone_tags]
    if gone:
        await work.call("ec2", "DeleteTags", Resources=list(ids), Tags=gone)
    if work.user_tags:
        await work.call("ec2", "CreateTags", Resources=list(ids), Tags=work.user_tags)
