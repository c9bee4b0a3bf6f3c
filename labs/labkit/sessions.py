"""boto3 sessions for the target. What they give is boto3, unchanged but for two things that are said in chapter 00:
calls to an emulator give up soon if nobody is there, and what a chapter makes is tagged ``lab=NN`` where AWS has tags."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from localstack_client.session import Session as LocalStackSession

from labkit import target as targets
from labkit.target import Target

TAG = "lab"
_chapter: dict[str, str] = {"nn": ""}
"""The chapter that was begun; its number is the value of the tag"""


class EmulatorSession(LocalStackSession):  # type: ignore[misc]
    """``localstack_client``'s session for the endpoint of the target."""

    def __init__(self, target: Target) -> None:
        super().__init__(
            aws_access_key_id=target.access_key,
            aws_secret_access_key="test",  # noqa: S106
            region_name=target.region,
        )
        # localstack_client's own list lacks some of the course's services, and has fixed what the environment said once
        names: list[str] = boto3.session.Session().get_available_services()
        self._service_endpoint_mapping: dict[str, str] = dict.fromkeys(names, target.endpoint)

    def client(self, service_name: str, **kwargs: Any) -> Any:
        """A boto3 client."""
        quick = Config(retries={"total_max_attempts": 2}, connect_timeout=5, proxies={})
        kwargs["config"] = quick.merge(kwargs["config"]) if kwargs.get("config") else quick
        return _tagging(super().client(service_name, **kwargs))


class AwsSession(boto3.session.Session):  # type: ignore[misc]
    """boto3's own session."""

    def client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        """A boto3 client. ``./lab up`` sets AWS_ENDPOINT_URL to the emulator's: it must not count here."""
        really = Config(ignore_configured_endpoint_urls=True)
        kwargs["config"] = really.merge(kwargs["config"]) if kwargs.get("config") else really
        return _tagging(super().client(service_name, *args, **kwargs))


@cache
def _session(target: Target, access_key: str) -> Any:
    if target.name == "aws":
        return AwsSession(region_name=target.region or None)
    return EmulatorSession(target)


def session() -> Any:
    """A session on the target that is on: ``session().client("ecs")`` is plain boto3."""
    target = targets.current()
    return _session(target, target.access_key)


def client(name: str) -> Any:
    """The same as ``session().client(name)``."""
    return session().client(name)


def tag_with(nn: str) -> None:
    """From now on, what clients make carries the tag ``lab=nn``."""
    _chapter["nn"] = nn


UPDATES = ("RegisterScalableTarget",)
"""Operations that also change what is there, and take no tags then"""


def _tagging(made: Any) -> Any:
    service = made.meta.service_model.service_name
    made.meta.events.register(f"provide-client-params.{service}.*", _add_tag)
    return made


def _add_tag(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    """Only where the operation makes something and AWS takes the tags along with it."""
    nn, shape = _chapter["nn"], model.input_shape
    if not nn or shape is None or not model.name.startswith(("Create", "Register", "Run")) or model.name in UPDATES:
        return params
    if model.name == "RunInstances":
        return {**params, "TagSpecifications": _instance_tags(params.get("TagSpecifications", []), nn)}
    for member in ("tags", "Tags"):
        tags = shape.members.get(member)
        if tags is None:
            continue
        if tags.type_name == "map":
            return {**params, member: {TAG: nn, **params.get(member, {})}}
        if tags.type_name == "list" and tags.member.type_name == "structure":
            key, value = ("key", "value") if "key" in tags.member.members else ("Key", "Value")
            given = list(params.get(member, []))
            if key in tags.member.members and not any(tag.get(key) == TAG for tag in given):
                given.append({key: TAG, value: nn})
            return {**params, member: given}
    return params


def _instance_tags(given: list[dict[str, Any]], nn: str) -> list[dict[str, Any]]:
    """EC2 has its tags by kind of resource."""
    mine = {"Key": TAG, "Value": nn}
    others = [each for each in given if each.get("ResourceType") != "instance"]
    tags = [tag for each in given if each.get("ResourceType") == "instance" for tag in each.get("Tags", [])]
    if all(tag.get("Key") != TAG for tag in tags):
        tags = [*tags, mine]
    return [*others, {"ResourceType": "instance", "Tags": tags}]
