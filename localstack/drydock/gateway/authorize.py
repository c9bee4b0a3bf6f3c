"""May the caller do this? Asked before every operation of every service, ours and moto's.

Root and AWS's own services may do all. For users and role sessions the operation's IAM action, its resources and the
request's condition keys are found, and each resource must be allowed; the first that is not gives the message, in AWS's
words and under the code that the service's protocol uses for it.

Where the operation hands a role to a service that is moto's, ``iam:PassRole`` is asked for here as well; our own
services ask for it themselves.

Source: Service Authorization Reference; IAM User Guide, "AWS global condition context keys" and "Troubleshoot access
denied error messages".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drydock.errors import AccessDenied, AwsError
from drydock.request import Request
from drydock.services.iam import Iam, reference, resources
from drydock.services.iam.actions import action_of, prefix_of
from drydock.services.iam.directory import scope_of
from drydock.services.iam.evaluation import Decision
from drydock.services.iam.patterns import ContextValue
from drydock.services.iam.placeholders import Candidates, Params, Place, cluster_name, key_arn, texts

Context = dict[str, ContextValue]

ACCESS_DENIED = {
    *("iam", "sts", "elbv2", "elb", "cloudformation", "sns", "autoscaling", "redshift", "rds", "cloudwatch", "s3"),
    "sqs",
}
"""Services whose protocol (query, REST-XML) calls it AccessDenied, with status 403"""
REST_JSON = {"lambda", "scheduler", "batch", "efs", "eks", "apigateway"}
"""AccessDeniedException with status 403; with 400 for all that speak JSON by target header"""
NAMELESS = {"ec2", "s3", "elbv2", "elb", "autoscaling", "cloudwatch"}
"""Services that do not show a resource of ``*``"""

PASSED_ROLES: dict[tuple[str, str], tuple[str, str]] = {
    ("lambda", "CreateFunction"): ("Role", "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): ("Role", "lambda.amazonaws.com"),
    ("redshift", "CreateCluster"): ("IamRoles", "redshift.amazonaws.com"),
    ("redshift", "ModifyClusterIamRoles"): ("AddIamRoles", "redshift.amazonaws.com"),
    ("autoscaling", "PutLifecycleHook"): ("RoleARN", "autoscaling.amazonaws.com"),
    ("ssm", "SendCommand"): ("ServiceRoleArn", "sns.amazonaws.com"),
}
"""Operations of moto's services that hand on a role: the parameter with its ARN, and the service that gets it"""

NAMING_ROLES = frozenset(
    {
        ("lambda", "CreateFunction"),
        ("lambda", "UpdateFunctionConfiguration"),
        ("ec2", "RunInstances"),
        ("ec2", "AssociateIamInstanceProfile"),
        ("ec2", "ReplaceIamInstanceProfileAssociation"),
    }
)
"""Operations of moto's services that name a role or an instance profile, which must be there: checked for root too"""

REQUEST_KEYS: dict[str, dict[str, str]] = {
    "s3": {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys", "s3:x-amz-acl": "ACL"},
    "iam": {
        "iam:policyarn": "PolicyArn",
        "iam:permissionsboundary": "PermissionsBoundary",
        "iam:awsservicename": "AWSServiceName",
    },
    "ec2": {"ec2:instancetype": "InstanceType"},
    "kms": {"kms:requestalias": "KeyId"},
    "ecs": {"ecs:task-definition": "taskDefinition", "ecs:container-name": "container"},
    "cloudformation": {"cloudformation:rolearn": "RoleARN", "cloudformation:templateurl": "TemplateURL"},
}
"""Condition keys of single services that a parameter gives"""


class Authorizer:
    """The policy decision for every operation."""

    def __init__(self, iam: Iam) -> None:
        self._iam = iam

    def check(self, request: Request, params: dict[str, Any]) -> None:
        """Return if the caller may do it. Raises AccessDenied with AWS's message, code and status."""
        principal = request.principal
        if principal.kind in ("root", "service"):
            if (request.service, request.operation) in NAMING_ROLES:
                self._check_there(request, params)
            return
        self._iam.note_use(request)
        name = action_of(request.service, request.operation, params)
        if name is None:
            return
        context = self._context(request, params)
        prefix, place = prefix_of(request.service), self._place(request)
        known = reference.actions(prefix).get(name.lower())
        action = f"{prefix}:{known.name if known else name}"
        for candidates in resources.needed(prefix, name, params, place):
            self._require(request, action, candidates, context)
        for further, candidates in _further(request, params):
            self._require(request, further, candidates, context)
        self._check_passed_role(request, params)
        if (request.service, request.operation) in NAMING_ROLES:
            self._check_there(request, params)

    def _require(self, request: Request, action: str, candidates: Candidates, context: Context) -> None:
        decisions = [self._iam.decide(request.principal, action, resource, context) for resource in candidates]
        denied = next((one for one in decisions if one.explicit_deny), None)
        if denied is None and any(one.allowed for one in decisions):
            return
        raise denied_error(request, action, candidates[0], denied or decisions[0])

    def _place(self, request: Request) -> Place:
        principal = request.principal
        user = principal.name if principal.kind == "user" else ""
        return Place(request.region, request.account, lambda *names: self._iam_arn(request.account, *names), user)

    def _iam_arn(self, account: str, kind: str, name: str, path: str) -> str:
        """That of the resource there is; else of the one that is to be made."""
        directory, key = self._iam.directory, name.lower()
        scope = scope_of(account)
        found = {
            "user": directory.users.get(scope, key),
            "group": directory.groups.get(scope, key),
            "role": directory.roles.get(scope, key),
            "policy": directory.policies.get(scope, key),
            "instance-profile": directory.profiles.get(scope, key),
            "server-certificate": directory.certificates.get(scope, key),
        }[kind]
        return found.arn if found is not None else f"arn:aws:iam::{account}:{kind}{path}{name}"

    def _context(self, request: Request, params: Params) -> Context:
        context = self._iam.principal_context(request.principal)
        now = self._iam.platform.clock(request.account).now()
        context["aws:sourceip"] = request.source_ip
        context["aws:requestedregion"] = request.region
        context["aws:currenttime"] = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        context["aws:epochtime"] = str(int(now))
        # The loopback address stands in for AWS's HTTPS endpoint: what works here must work there, and the reverse.
        context["aws:securetransport"] = "true"
        for key, header in (("aws:useragent", "user-agent"), ("aws:referer", "referer")):
            if header in request.headers:
                context[key] = request.headers[header]
        for key, name in REQUEST_KEYS.get(request.service, {}).items():
            if params.get(name) is not None:
                context[key] = str(params[name])
        if request.service == "ecs":
            context["ecs:cluster"] = f"arn:aws:ecs:{request.region}:{request.account}:cluster/{cluster_name(params)}"
        elif request.service == "ec2":
            context["ec2:region"] = request.region
        elif request.operation == "PutMetricData" and params.get(
            "Namespace"
        ):  # of the others that have one it is no key
            context["cloudwatch:namespace"] = str(params["Namespace"])
        _add_tags(context, params)
        return context

    def _check_passed_role(self, request: Request, params: Params) -> None:
        passed = PASSED_ROLES.get((request.service, request.operation))
        arns: list[str] = []
        service = ""
        if passed is not None:
            arns, service = texts(params, passed[0]), passed[1]
        elif request.service == "ec2" and isinstance(params.get("IamInstanceProfile"), dict):
            arns, service = self._profile_roles(request.account, params["IamInstanceProfile"]), "ec2.amazonaws.com"
        for arn in arns:
            try:
                self._iam.check_pass_role(request.principal, arn, service)
            except AccessDenied as error:
                raise in_protocol(request.service, error.message) from None

    def _check_there(self, request: Request, params: Params) -> None:
        """moto believes in any role and instance profile; AWS does not."""
        directory, scope = self._iam.directory, scope_of(request.account)
        if request.service == "lambda":
            for arn in texts(params, "Role"):
                if directory.role_by_arn(arn) is None or self._iam.check_assumable(arn, "lambda.amazonaws.com"):
                    message = "The role defined for the function cannot be assumed by Lambda."
                    raise AwsError("InvalidParameterValueException", message, status=400)
            return
        named = params.get("IamInstanceProfile")
        for key in ("Name", "Arn"):
            value = str(named.get(key) or "") if isinstance(named, dict) else ""
            profile = directory.profiles.get(scope, value.rsplit("/", 1)[-1].lower())
            if value and (profile is None or value not in (profile.name, profile.arn)):
                raise AwsError(
                    "InvalidParameterValue",
                    f"Value ({value}) for parameter iamInstanceProfile.{key.lower()} is invalid. Invalid IAM Instance"
                    f" Profile {'name' if key == 'Name' else 'ARN'}",
                    status=400,
                )

    def _profile_roles(self, account: str, named: dict[str, Any]) -> list[str]:
        scope = scope_of(account)
        name = str(named.get("Name") or str(named.get("Arn", "")).rsplit("/", 1)[-1])
        profile = self._iam.directory.profiles.get(scope, name.lower())
        role = self._iam.directory.roles.get(scope, profile.role.lower()) if profile and profile.role else None
        return [role.arn] if role else []


def _add_tags(context: Context, params: Params) -> None:
    """``aws:RequestTag/...`` and ``aws:TagKeys``, however the service writes its tags."""
    tags: dict[str, str] = {}
    specifications = params.get("TagSpecifications")
    sources = [params.get("tags"), params.get("Tags")]
    if isinstance(specifications, list):
        sources += [one.get("Tags") for one in specifications if isinstance(one, dict)]
    for source in sources:
        if isinstance(source, dict):
            tags |= {str(key): str(value) for key, value in source.items()}
        elif isinstance(source, list):
            for tag in source:
                if isinstance(tag, dict) and ("key" in tag or "Key" in tag):
                    tags[str(tag.get("key", tag.get("Key")))] = str(tag.get("value", tag.get("Value", "")))
    keys = list(tags) + texts(params, "tagKeys", "TagKeys")
    if keys:
        context["aws:tagkeys"] = keys
    context.update({f"aws:requesttag/{key.lower()}": value for key, value in tags.items()})


def _further(request: Request, params: Params) -> list[tuple[str, Candidates]]:
    """What an operation needs beyond its own action."""
    if (request.service, request.operation) == ("kms", "ReEncrypt"):
        keys = texts(params, "DestinationKeyId")
        return [("kms:ReEncryptTo", (key_arn(key, request.region, request.account),)) for key in keys]
    if request.service == "ecs":
        return _tagging(request, params)
    if request.service != "s3":
        return []
    needs: list[tuple[str, Candidates]] = []
    if request.operation in ("CopyObject", "UploadPartCopy"):
        source = params.get("CopySource")
        if isinstance(source, dict):
            source = f"{source.get('Bucket', '')}/{source.get('Key', '')}"
        needs.append(("s3:GetObject", (f"arn:aws:s3:::{str(source).partition('?')[0].lstrip('/')}",)))
    target = f"arn:aws:s3:::{params.get('Bucket', '')}/{params.get('Key', '')}"
    if request.operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        if params.get("ACL"):
            needs.append(("s3:PutObjectAcl", (target,)))
        if params.get("Tagging"):
            needs.append(("s3:PutObjectTagging", (target,)))
    return needs


def _tagging(request: Request, params: Params) -> list[tuple[str, Candidates]]:
    """Who makes something with tags in ECS needs ``ecs:TagResource`` too ("Grant permission to tag resources on
    creation")."""
    cluster = str(params.get("cluster") or params.get("clusterName") or "default").rpartition("/")[2]
    made = {
        "CreateCluster": f"cluster/{cluster}",
        "RunTask": f"task/{cluster}/*",
        "StartTask": f"task/{cluster}/*",
        "RegisterTaskDefinition": f"task-definition/{params.get('family')}:*",
    }.get(request.operation)
    if made is None or not params.get("tags"):
        return []
    return [("ecs:TagResource", (f"arn:aws:ecs:{request.region}:{request.account}:{made}",))]


def denied_error(request: Request, action: str, resource: str, decision: Decision) -> AccessDenied:
    """The error for a denied request."""
    shown = action.lower() if request.service == "sqs" else action
    where = "" if resource == "*" and request.service in NAMELESS else f" on resource: {resource}"
    reason = decision.reason.replace(action, shown)
    message = f"User: {request.principal.arn} is not authorized to perform: {shown}{where} {reason}"
    return in_protocol(request.service, message)


def in_protocol(service: str, message: str) -> AccessDenied:
    """AccessDenied under the code and status that the service's protocol has for it."""
    if service == "ec2":
        error = AccessDenied(f"You are not authorized to perform this operation. {message}")
        error.code, error.status = "UnauthorizedOperation", 403
        return error
    error = AccessDenied(message)
    if service in ACCESS_DENIED:
        error.code, error.status = "AccessDenied", 403
    else:
        error.status = 403 if service in REST_JSON else 400
    return error
