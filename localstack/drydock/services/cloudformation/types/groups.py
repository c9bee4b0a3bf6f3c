"""EC2's security groups and their rules."""

from __future__ import annotations

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, unless
from drydock.services.cloudformation.types.ec2 import Ec2Type

_DUPLICATE = ("InvalidPermission.Duplicate",)
_ABSENT = ("InvalidPermission.NotFound", "InvalidGroup.NotFound", "InvalidGroupId.Malformed")
_EVERYWHERE = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}
_SOURCES = ("CidrIp", "CidrIpv6", "SourceSecurityGroupId", "DestinationSecurityGroupId", "SourcePrefixListId",
            "DestinationPrefixListId")  # fmt: skip


def permission(rule: Params) -> Params:
    """A rule as EC2 wants it. Raises Failed."""
    if "SourceSecurityGroupName" in rule or "SourceSecurityGroupOwnerId" in rule:
        raise Failed("Drydock takes a security group by its id only: use SourceSecurityGroupId.")
    if not any(name in rule for name in _SOURCES):
        raise Failed("A rule must have one source or destination.")  # (?)
    found: Params = {"IpProtocol": str(rule["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if name in rule:
            found[name] = int(rule[name])
    told = {"Description": rule["Description"]} if rule.get("Description") else {}
    if "CidrIp" in rule:
        found["IpRanges"] = [{"CidrIp": rule["CidrIp"], **told}]
    if "CidrIpv6" in rule:
        found["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **told}]
    for name in ("SourceSecurityGroupId", "DestinationSecurityGroupId"):
        if name in rule:
            found["UserIdGroupPairs"] = [{"GroupId": rule[name], **told}]
    for name in ("SourcePrefixListId", "DestinationPrefixListId"):
        if name in rule:
            found["PrefixListIds"] = [{"PrefixListId": rule[name], **told}]
    return found


class SecurityGroup(Ec2Type):
    name = "AWS::EC2::SecurityGroup"
    passes = ("GroupName", "GroupDescription", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags")
    whole = False
    creates = ("CreateSecurityGroup", "", "GroupId")
    describes = ("DescribeSecurityGroups", "GroupIds", "SecurityGroups")
    deletes = ("DeleteSecurityGroup", "GroupId")
    tagged, code = "security-group", "InvalidGroup.NotFound"

    async def create(self, work: Work) -> None:
        given = {
            "GroupName": work.name("GroupName", 255),
            "Description": work.properties["GroupDescription"],
            **picked(work.properties, "VpcId"),
        }
        answer = await work.call("ec2", "CreateSecurityGroup", **given, TagSpecifications=self.specification(work))
        work.made(answer["GroupId"])
        await self._change(work, "Ingress", [], work.properties.get("SecurityGroupIngress") or [])
        if work.properties.get("SecurityGroupEgress"):
            await self._change(work, "Egress", [_EVERYWHERE], work.properties["SecurityGroupEgress"])

    async def _change(self, work: Work, way: str, old: list[Params], new: list[Params]) -> None:
        for rule in old:
            if rule not in new:
                given = {"GroupId": work.physical_id, "IpPermissions": [permission(rule)]}
                await unless(_ABSENT, work.call("ec2", f"RevokeSecurityGroup{way}", **given))
        for rule in new:
            if rule not in old:
                given = {"GroupId": work.physical_id, "IpPermissions": [permission(rule)]}
                await unless(_DUPLICATE, work.call("ec2", f"AuthorizeSecurityGroup{way}", **given))

    async def update(self, work: Work) -> None:
        ingress = "SecurityGroupIngress"
        await self._change(work, "Ingress", work.old.get(ingress) or [], work.properties.get(ingress) or [])
        before = work.old.get("SecurityGroupEgress") or [_EVERYWHERE]
        await self._change(work, "Egress", before, work.properties.get("SecurityGroupEgress") or [_EVERYWHERE])
        await super().update(work)

    async def read(self, work: Work) -> Params:
        group = await self.described(work)
        return {"GroupId": work.physical_id, "Id": work.physical_id, "VpcId": group.get("VpcId", "")}


class _Rule(ResourceType):
    service = "ec2"
    way = ""
    members = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description")
    replaces = frozenset(
        {"IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description", "GroupId", *_SOURCES}
    )

    def _given(self, work: Work) -> Params:
        if not work.properties.get("GroupId"):
            raise Failed("Drydock takes a security group by its id only: use GroupId.")
        return {"GroupId": work.properties["GroupId"], "IpPermissions": [permission(work.properties)]}

    async def create(self, work: Work) -> None:
        given = self._given(work)
        answer = await work.call("ec2", f"AuthorizeSecurityGroup{self.way}", **given)
        rules = answer.get("SecurityGroupRules") or []
        work.made(rules[0]["SecurityGroupRuleId"] if rules else f"{work.properties['GroupId']}|{work.token}")

    async def find(self, work: Work) -> str:
        filters = [{"Name": "group-id", "Values": [work.properties["GroupId"]]}]
        answer = await work.call("ec2", "DescribeSecurityGroupRules", Filters=filters)
        wanted = self._given(work)["IpPermissions"][0]
        for rule in answer.get("SecurityGroupRules", []):
            if (rule["IsEgress"] == (self.way == "Egress")) and _is(rule, wanted):
                return str(rule["SecurityGroupRuleId"])
        return ""

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def delete(self, work: Work) -> None:
        if not await unless(_ABSENT, work.call("ec2", f"RevokeSecurityGroup{self.way}", **self._given(work))):
            raise NotFound


def _is(rule: Params, wanted: Params) -> bool:
    """Whether a rule is the one of a permission."""
    ports = [(wanted.get(name), rule.get(name)) for name in ("FromPort", "ToPort")]
    if str(rule["IpProtocol"]) != wanted["IpProtocol"] or any(a is not None and a != b for a, b in ports):
        return False
    for member, key, shown in (("IpRanges", "CidrIp", "CidrIpv4"), ("Ipv6Ranges", "CidrIpv6", "CidrIpv6")):
        if member in wanted:
            return bool(rule.get(shown) == wanted[member][0][key])
    if "UserIdGroupPairs" in wanted:
        return bool((rule.get("ReferencedGroupInfo") or {}).get("GroupId") == wanted["UserIdGroupPairs"][0]["GroupId"])
    return bool(rule.get("PrefixListId") == wanted["PrefixListIds"][0]["PrefixListId"])


class Ingress(_Rule):
    name = "AWS::EC2::SecurityGroupIngress"
    way = "Ingress"
    passes = ("GroupId", *_Rule.members, "SourceSecurityGroupId", "SourcePrefixListId")
    replaces = frozenset(passes)


class Egress(_Rule):
    name = "AWS::EC2::SecurityGroupEgress"
    way = "Egress"
    passes = ("GroupId", *_Rule.members, "DestinationSecurityGroupId", "DestinationPrefixListId")
    replaces = frozenset(passes)


TYPES: tuple[type[ResourceType], ...] = (SecurityGroup, Ingress, Egress)
