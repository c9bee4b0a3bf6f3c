"""Operations on log groups: their making and end, retention, protection, tags."""

from __future__ import annotations

import re
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.logs import rules
from drydock.services.logs.model import LogGroup
from drydock.services.logs.registry import LogsRegistry
from drydock.store import Scope


class GroupOperations(LogsRegistry):
    """Mixed into :class:`~drydock.services.logs.api.Logs`."""

    def create_log_group(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        name = params["logGroupName"]
        if params.get("kmsKeyId"):
            raise NotImplementedByDrydock(
                "logs", "CreateLogGroup", "kmsKeyId: leave the key out; nothing is encrypted."
            )
        if name.lower().startswith("aws/"):
            raise rules.invalid("Log groups starting with AWS/ are reserved for AWS.")
        tags = rules.with_tags({}, params.get("tags", {}))
        if self.groups.get(request.scope, name) is not None:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        group = LogGroup(
            name=name,
            key=self.new_key(request.scope, "log-group", name),
            created=self.now(request.account),
            log_class=params.get("logGroupClass", "STANDARD"),
            tags=tags,
            protected=params.get("deletionProtectionEnabled", False),
        )
        self.groups.put(request.scope, name, group)
        if group.kept_days is not None:
            self.sweeper.attend(request.account)

    def delete_log_group(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        if group.protected:
            raise AwsError(
                "ValidationException", "The log group cannot be deleted because deletion protection is enabled."
            )
        for found in [each.name for each in self.filters_of(request.scope, group.name)]:
            self.filters.delete(request.scope, f"{group.name}:{found}")
        self.streams.delete_group(request.scope, group.name)
        self.groups.delete(request.scope, group.name)
        self.events.discard("grp", group.key)
        self.purge()

    def put_log_group_deletion_protection(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.identified_group(request, {"logGroupIdentifier": params["logGroupIdentifier"]})
        group.protected = params["deletionProtectionEnabled"]
        self.groups.put(request.scope, group.name, group)

    def describe_log_groups(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        identifiers = params.get("logGroupIdentifiers")
        if prefix is not None and pattern is not None:
            raise rules.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        if identifiers is not None and (prefix is not None or pattern is not None):
            raise rules.invalid("LogGroup identifiers and other filters are mutually exclusive parameters.")
        rules.refuse(
            rules.violations(rules.Constraint(0, 512, r"[\.\-_/#A-Za-z0-9]*"), pattern or "", "logGroupNamePattern")
        )
        if identifiers is not None:
            wanted = {rules.group_name_of(each, request.account, request.region) for each in identifiers}
            groups = [group for group in self.groups.of(request.scope) if group.name in wanted]
        else:
            groups = [
                g
                for g in self.groups.of(request.scope)
                if g.name.startswith(prefix or "") and (pattern or "") in g.name
            ]
        groups = [g for g in groups if _of_class(g, params.get("logGroupClass"))]
        page, token = _page("groups", groups, params, 50)
        if pattern:
            answer = [group.briefly(request.scope) for group in page]
        else:
            answer = [self._described(request.scope, group) for group in page]
        return {"logGroups": answer, **token}

    def list_log_groups(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        for unserved in ("dataSources", "fieldIndexNames", "logGroupTags"):
            if params.get(unserved):
                raise NotImplementedByDrydock(
                    "logs", "ListLogGroups", f"{unserved}: use logGroupNamePattern or ListTagsForResource."
                )
        rules.check(params, limit=1000)
        found = list(self.groups.of(request.scope))
        if (pattern := params.get("logGroupNamePattern")) is not None:
            part = r"\^?[\.\-_\/#A-Za-z0-9]{3,24}"
            rules.refuse(
                rules.violations(
                    rules.Constraint(3, 129, rf"({part})(\|{part}){{0,4}}"), pattern, "logGroupNamePattern"
                )
            )
            literal = "|".join(re.escape(p) if p[0] != "^" else "^" + re.escape(p[1:]) for p in pattern.split("|"))
            found = [group for group in found if re.search(literal, group.name)]
        found = [group for group in found if params.get("logGroupClass", group.log_class) == group.log_class]
        page, token = _page("group-list", found, params, 50)
        return {"logGroups": [group.summary(request.scope) for group in page], **token}

    def put_retention_policy(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        group.retention = params["retentionInDays"]
        self.groups.put(request.scope, group.name, group)
        self.sweeper.attend(request.account)

    def delete_retention_policy(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        group.retention = None
        self.groups.put(request.scope, group.name, group)

    # --- tags ---

    def tag_resource(self, request: Request, params: dict[str, Any]) -> None:
        self._tag(request, self._tagged(request, params), params["tags"])

    def untag_resource(self, request: Request, params: dict[str, Any]) -> None:
        self._untag(request, self._tagged(request, params), params["tagKeys"])

    def list_tags_for_resource(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        return {"tags": dict(self._tagged(request, params).tags)}

    def tag_log_group(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        self._tag(request, self.group(request, params["logGroupName"]), params["tags"])

    def untag_log_group(self, request: Request, params: dict[str, Any]) -> None:
        rules.check({"logGroupName": params["logGroupName"]})
        self._untag(request, self.group(request, params["logGroupName"]), params["tags"])

    def list_tags_log_group(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        return {"tags": dict(self.group(request, params["logGroupName"]).tags)}

    def _tagged(self, request: Request, params: dict[str, Any]) -> LogGroup:
        rules.check(params)
        name = rules.tagged_group_name(params["resourceArn"], request.account, request.region)
        group = self.groups.get(request.scope, name)
        if group is None:
            raise rules.no_group()
        return group

    def _tag(self, request: Request, group: LogGroup, tags: dict[str, str]) -> None:
        group.tags = rules.with_tags(group.tags, tags)
        self.groups.put(request.scope, group.name, group)

    def _untag(self, request: Request, group: LogGroup, keys: list[str]) -> None:
        group.tags = {key: value for key, value in group.tags.items() if key not in keys}
        self.groups.put(request.scope, group.name, group)

    # --- of the answers ---

    def _described(self, scope: Scope, group: LogGroup) -> dict[str, Any]:
        return group.described(scope, self.events.stored(group.key), len(self.filters_of(scope, group.name)))


def _of_class(group: LogGroup, wanted: str | None) -> bool:
    """DescribeLogGroups: asked for one of the two infrequent classes, it gives both."""
    infrequent = ("INFREQUENT_ACCESS", "ESSENTIALS")
    return wanted is None or group.log_class == wanted or (wanted in infrequent and group.log_class in infrequent)


def _page(
    kind: str, groups: list[LogGroup], params: dict[str, Any], default: int
) -> tuple[list[LogGroup], dict[str, str]]:
    """A page of groups, ASCII-sorted by name, and the token of the next one if there is one."""
    if (token := params.get("nextToken")) is not None:
        (last,) = rules.opened(kind, token, str)
        groups = [group for group in groups if group.name > last]
    groups.sort(key=lambda group: group.name)
    limit = params.get("limit", default)
    page = groups[:limit]
    return page, {"nextToken": rules.sealed(kind, page[-1].name)} if len(groups) > limit else {}
