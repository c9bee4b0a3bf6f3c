"""Account settings: per region, of the whole account (kept as the root user's) or of one user or role.

What they do here: ``containerInsights`` is what a new cluster has when nothing else is said (``enhanced`` adds metrics of
single tasks, not of single containers). The others are kept and shown as on AWS;
there is nothing in Drydock that they could change, or it behaves in one way only:

* the three ``...LongArnFormat``: ARNs are long, and that can no longer be turned off on AWS either;
* ``awsvpcTrunking``: no network interface is trunked: an instance bears as many tasks in awsvpc mode as without it;
* ``fargateFIPSMode``, ``fargateTaskRetirementWaitPeriod``, ``fargateEventWindows``: Drydock has one set of
  cryptographic modules, and retires no task;
* ``tagResourceAuthorization``: ``ecs:TagResource`` is not asked for when a resource is created with tags;
* ``defaultLogDriverMode``: the log driver waits for CloudWatch Logs (``blocking``), whatever is set;
* ``guardDutyActivate`` is read-only, as on AWS, and off: there is no GuardDuty.

Sources: "Access Amazon ECS features with account settings" and the API reference of PutAccountSetting. The messages
marked with (?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AccessDenied
from drydock.request import Request
from drydock.services.ecs.model import AccountSetting
from drydock.services.ecs.paging import page
from drydock.services.ecs.rules import invalid
from drydock.services.iam.directory import Directory, scope_of
from drydock.services.service import Service
from drydock.store import Collection

Params = dict[str, Any]
_SWITCH = ("enabled", "disabled")
VALUES: dict[str, tuple[str, ...]] = {
    "awsvpcTrunking": _SWITCH,
    "containerInsights": ("enabled", "disabled", "enhanced"),
    "containerInstanceLongArnFormat": _SWITCH,
    "defaultLogDriverMode": ("blocking", "non-blocking"),
    "fargateEventWindows": _SWITCH,
    "fargateFIPSMode": _SWITCH,
    "fargateTaskRetirementWaitPeriod": ("0", "7", "14"),
    "guardDutyActivate": ("on", "off"),
    "serviceLongArnFormat": _SWITCH,
    "tagResourceAuthorization": ("on", "off"),
    "taskLongArnFormat": _SWITCH,
}
DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "on",
    "taskLongArnFormat": "enabled",
}
AWS_MANAGED = "guardDutyActivate"
OF_THE_ACCOUNT_ONLY = "fargateTaskRetirementWaitPeriod"
LARGEST_PAGE = 10


class SettingOperations(Service):
    """PutAccountSetting, PutAccountSettingDefault, DeleteAccountSetting, ListAccountSettings."""

    settings: Collection[AccountSetting]
    directory: Directory

    def setting_in_force(self, request: Request, name: str) -> str:
        """The value that applies to the caller: its own, else the account's, else AWS's default."""
        return self._effective(request, self._own_arn(request), name)["value"]

    def put_account_setting(self, request: Request, params: Params) -> dict[str, Any]:
        """The caller's own, or for the root user anybody's; the root user's are the account's defaults."""
        principal = self._principal(request, params)
        if params["name"] == OF_THE_ACCOUNT_ONLY and principal != _root(request):
            raise invalid(f"The root user must be used to set {OF_THE_ACCOUNT_ONLY}.")  # (?)
        return self._put(request, principal, params)

    def put_account_setting_default(self, request: Request, params: Params) -> dict[str, Any]:
        """For all in the account that have not set their own."""
        return self._put(request, _root(request), params)

    def delete_account_setting(self, request: Request, params: Params) -> dict[str, Any]:
        """Back to the account's, or to AWS's default. Deleting what is not set changes nothing; the answer has the
        value that applies from now on (?)."""
        principal, name = self._principal(request, params), params["name"]
        _check_name(name)
        if name == AWS_MANAGED:
            raise _read_only()
        self.settings.delete(request.scope, _key(principal, name))
        return {"setting": {**self._effective(request, principal, name), "principalArn": principal}}

    def list_account_settings(self, request: Request, params: Params) -> dict[str, Any]:
        """What the principal has set, or with ``effectiveSettings`` all that applies to it."""
        principal = self._principal(request, params)
        wanted, value = params.get("name"), params.get("value")
        if wanted is not None:
            _check_name(wanted)
        elif value is not None:
            raise invalid("You must also specify an account setting name to filter by its value.")  # (?)
        found = {}
        for name in [wanted] if wanted else DEFAULTS:
            own = self.settings.get(request.scope, _key(principal, name))
            if not params.get("effectiveSettings") and own is None:
                continue
            setting = self._effective(request, principal, name)
            if value in (None, setting["value"]):
                found[name] = setting
        shown, token = page(list(found), params, largest=LARGEST_PAGE)
        return {"settings": [found[name] for name in shown], **token}

    def _put(self, request: Request, principal: str, params: Params) -> dict[str, Any]:
        name, value = params["name"], params["value"]
        _check_name(name)
        if name == AWS_MANAGED:
            raise _read_only()
        if value not in VALUES[name]:
            raise invalid("Invalid setting 'value'")
        if name.endswith("LongArnFormat") and value == "disabled":
            raise invalid("You can no longer disable Long Arn settings")
        setting = AccountSetting(name, value, principal)
        self.settings.put(request.scope, _key(principal, name), setting)
        return {"setting": setting.describe()}

    def _effective(self, request: Request, principal: str, name: str) -> dict[str, str]:
        for arn in (principal, _root(request)):
            if found := self.settings.get(request.scope, _key(arn, name)):
                return found.describe()
        kind = "aws_managed" if name == AWS_MANAGED else "user"
        return AccountSetting(name, DEFAULTS[name], _root(request)).describe() | {"type": kind}

    def _principal(self, request: Request, params: Params) -> str:
        """Whose setting is meant. Only the root user may name another than itself."""
        own, given = self._own_arn(request), params.get("principalArn") or ""
        if given in ("", own, request.principal.arn):
            return own
        if own != _root(request):
            raise AccessDenied(  # (?)
                f"User: {request.principal.arn} is not authorized to perform: ecs:{request.operation} for the principal "
                f"{given}: you must be the root user, or the principal"
            )
        known = self.directory.user_by_arn(given) or self.directory.role_by_arn(given)
        if given.split(":")[4:5] != [request.account] or known is None:
            raise invalid(f"The specified principal {given} does not exist.")  # (?)
        return given

    def _own_arn(self, request: Request) -> str:
        """Of the user, or of the role behind a session; AWS's own services go by the account's settings."""
        principal = request.principal
        if principal.kind == "user":
            return principal.arn
        if principal.kind == "role":
            role = self.directory.roles.get(scope_of(request.account), principal.name.lower())
            return role.arn if role is not None else _root(request)
        return _root(request)


def _check_name(name: str) -> None:
    if name not in VALUES:
        raise invalid("Invalid setting 'name'")  # (?)


def _read_only() -> Exception:
    return invalid(f"The account setting {AWS_MANAGED} is managed by AWS and cannot be changed.")  # (?)


def _root(request: Request) -> str:
    return f"arn:aws:iam::{request.account}:root"


def _key(principal: str, name: str) -> str:
    return f"{name}|{principal}"
