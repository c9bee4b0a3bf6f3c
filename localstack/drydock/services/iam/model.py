"""IAM's resources as they are kept, and the shapes in which AWS shows them.

Times are seconds of lab time, except a session's ``issued`` and ``expires``, which are real. Documents are the JSON text
as it was given; AWS sends them URL-encoded (RFC 3986), and so do the shapes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from drydock.clock import as_datetime
from drydock.request import Principal

Shape = dict[str, Any]


@dataclass(kw_only=True)
class Entity:
    """What users, groups and roles have in common. ``inline``: policy name -> document; ``attached``: ARNs."""

    name: str
    path: str
    id: str
    arn: str
    created: float
    inline: dict[str, str] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class User(Entity):
    """A user. ``groups`` are names; ``boundary`` is the ARN of its permissions boundary or empty."""

    tags: dict[str, str] = field(default_factory=dict)
    boundary: str = ""
    groups: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Group(Entity):
    """A group; who is in it, the users know."""


@dataclass(kw_only=True)
class Role(Entity):
    """A role. ``max_session`` in seconds; ``service`` is the linked service's principal for a service-linked role."""

    trust: str
    description: str | None = None
    max_session: int = 3600
    boundary: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    service: str = ""
    last_used: float | None = None
    last_region: str = ""


@dataclass(kw_only=True)
class PolicyVersion:
    """One of a managed policy's documents."""

    id: str
    document: str
    created: float


@dataclass(kw_only=True)
class ManagedPolicy:
    """A customer-managed policy; AWS's are made of moto's data in the same form (``account`` ``aws`` in the ARN)."""

    name: str
    path: str
    id: str
    arn: str
    created: float
    updated: float
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    versions: list[PolicyVersion] = field(default_factory=list)
    default: str = "v1"
    made: int = 1
    """How many versions there have been"""

    def version(self, version_id: str) -> PolicyVersion | None:
        """The version, if there is one."""
        return next((version for version in self.versions if version.id == version_id), None)

    @property
    def document(self) -> str:
        """The default version's document."""
        return next(version.document for version in self.versions if version.id == self.default)


@dataclass(kw_only=True)
class InstanceProfile:
    """What an EC2 instance carries; at most one role (its name, or empty)."""

    name: str
    path: str
    id: str
    arn: str
    created: float
    role: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class AccessKey:
    """A user's long-term key."""

    access_key_id: str
    secret: str
    user: str
    created: float
    status: str = "Active"
    last_used: float | None = None
    last_service: str = ""
    last_region: str = ""


@dataclass(kw_only=True)
class Session:
    """Temporary credentials. ``issued`` and ``expires`` are *real* time; ``policies`` are session policies (documents).

    ``kind`` is ``role`` (AssumeRole and what services do for themselves), or ``user`` and ``root`` (GetSessionToken).
    """

    access_key_id: str
    secret: str
    token: str
    issued: float
    expires: float
    kind: str
    arn: str
    user_id: str
    name: str
    policies: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class AccountNames:
    """The account's aliases (AWS allows one)."""

    aliases: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Credential:
    """An access key as the gateway needs it to verify a signature. ``expires`` is real time, None for never."""

    access_key_id: str
    secret: str
    session_token: str
    expires: float | None
    principal: Principal
    active: bool


def encoded(document: str) -> str:
    """A document as AWS sends it: URL-encoded."""
    return quote(document, safe="")


@dataclass(kw_only=True)
class ServerCertificate:
    """``expires`` in real seconds; ``names`` are the host names that it is for. The private key is never shown."""

    name: str
    path: str
    id: str
    arn: str
    created: float
    expires: float
    body: str
    chain: str
    key: str
    names: list[str]
    tags: dict[str, str] = field(default_factory=dict)


def certificate_shape(certificate: ServerCertificate) -> Shape:
    """ServerCertificateMetadata."""
    return {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.id,
        "Arn": certificate.arn,
        "UploadDate": as_datetime(certificate.created),
        "Expiration": as_datetime(certificate.expires),
    }


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags in AWS's form."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def boundary_shape(arn: str) -> Shape:
    """AttachedPermissionsBoundary."""
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def user_shape(user: User) -> Shape:
    """User, as GetUser shows it."""
    shape: Shape = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": as_datetime(user.created),
    }
    if user.boundary:
        shape["PermissionsBoundary"] = boundary_shape(user.boundary)
    if user.tags:
        shape["Tags"] = tag_list(user.tags)
    return shape


def group_shape(group: Group) -> Shape:
    """Group."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": as_datetime(group.created),
    }


def listed_role_shape(role: Role) -> Shape:
    """Role, as ListRoles and instance profiles show it (without tags, boundary and last use)."""
    shape: Shape = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": as_datetime(role.created),
        "AssumeRolePolicyDocument": encoded(role.trust),
        "MaxSessionDuration": role.max_session,
    }
    if role.description is not None:
        shape["Description"] = role.description
    return shape


def role_last_used(role: Role) -> Shape:
    """RoleLastUsed; empty if it never was."""
    if role.last_used is None:
        return {}
    return {"LastUsedDate": as_datetime(role.last_used), "Region": role.last_region}


def role_shape(role: Role) -> Shape:
    """Role, as GetRole shows it."""
    shape = listed_role_shape(role)
    if role.boundary:
        shape["PermissionsBoundary"] = boundary_shape(role.boundary)
    if role.tags:
        shape["Tags"] = tag_list(role.tags)
    shape["RoleLastUsed"] = role_last_used(role)
    return shape


def policy_shape(policy: ManagedPolicy, attachments: int, boundaries: int) -> Shape:
    """Policy, as ListPolicies shows it (without description and tags)."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": as_datetime(policy.created),
        "UpdateDate": as_datetime(policy.updated),
    }


def version_shape(policy: ManagedPolicy, version: PolicyVersion, with_document: bool) -> Shape:
    """PolicyVersion."""
    shape: Shape = {"Document": encoded(version.document)} if with_document else {}
    return {
        **shape,
        "VersionId": version.id,
        "IsDefaultVersion": version.id == policy.default,
        "CreateDate": as_datetime(version.created),
    }


def profile_shape(profile: InstanceProfile, role: Role | None, with_tags: bool) -> Shape:
    """InstanceProfile."""
    shape: Shape = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": as_datetime(profile.created),
        "Roles": [listed_role_shape(role)] if role else [],
    }
    if with_tags and profile.tags:
        shape["Tags"] = tag_list(profile.tags)
    return shape
