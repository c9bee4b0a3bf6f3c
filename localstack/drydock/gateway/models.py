"""botocore's service models, loaded when first needed, and the indexes by which a request is recognised."""

from __future__ import annotations

import functools
import re

from botocore.model import OperationModel

from drydock import botocore_models

service_model = botocore_models.service_model
OWN = ("ecs", "elbv2", "iam", "sts", "logs", "cloudformation", "cloudwatch", "application-autoscaling")
"""Services of ours, whole"""
FROM_MOTO = (
    "ec2", "autoscaling", "s3", "kms", "ssm", "secretsmanager", "sqs", "sns", "redshift", "lambda",
)  # fmt: skip
"""Supporting services, whose control plane comes from moto's child process"""
LACKING = (
    "ecr", "codebuild", "codecommit", "codepipeline", "codedeploy", "events",
    "scheduler", "redshift-data", "resourcegroupstaggingapi",
)  # fmt: skip
"""Services of the course that are not here yet: recognised, and answered with 501"""
SERVICES = OWN + FROM_MOTO + LACKING

SIGNING_NAMES = {
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
}
"""Where the name in the signature is not botocore's name of the service"""
TARGET_PREFIXES = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "AnyScaleFrontendService": "application-autoscaling",
    "CodeBuild_20161006": "codebuild",
    "CodeCommit_20150413": "codecommit",
    "CodePipeline_20150709": "codepipeline",
    "CodeDeploy_20141006": "codedeploy",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
    "AmazonSSM": "ssm",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
    "RedshiftData": "redshift-data",
    "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi",
    "AmazonSQS": "sqs",
}
"""``X-Amz-Target`` prefixes, written down so that no model is read to recognise another service's request (tested
against the models)"""
API_VERSIONS = {
    "2010-05-08": "iam",
    "2011-06-15": "sts",
    "2016-11-15": "ec2",
    "2015-12-01": "elbv2",
    "2010-05-15": "cloudformation",
    "2012-12-01": "redshift",
    "2011-01-01": "autoscaling",
    "2010-03-31": "sns",
    "2012-11-05": "sqs",
    "2010-08-01": "cloudwatch",
}
"""``Version`` of the query protocol, for requests that are not signed (tested against the models)"""


@functools.cache
def operation_names(service: str) -> frozenset[str]:
    """The operations AWS has."""
    return frozenset(service_model(service).operation_names)


@functools.cache
def operation_model(service: str, operation: str) -> OperationModel:
    """One operation's model."""
    return service_model(service).operation_model(operation)


def takes_object(operation: str) -> bool:
    """Whether an operation of S3 has an object's content for its body, and not XML."""
    return bool(operation_model("s3", operation).has_streaming_input)


@functools.cache
def error_status(service: str) -> dict[str, int]:
    """HTTP status of the errors a service models, by code."""
    found = {}
    for shape in service_model(service).error_shapes:
        error = shape.metadata.get("error", {})
        if "httpStatusCode" in error:
            found[error.get("code") or shape.name] = error["httpStatusCode"]
    return found


def speaks_query_too(service: str) -> bool:
    """Whether a service whose protocol is another keeps the error codes of the query protocol it once spoke."""
    return "awsQueryCompatible" in service_model(service).metadata


@functools.cache
def error_name(service: str, given: str) -> tuple[str, str]:
    """The name of an error's shape, and its code; ``given`` is either. They differ in services that spoke the query
    protocol: ``DashboardNotFoundError`` has the code ``ResourceNotFound``."""
    if not speaks_query_too(service):
        return given, given
    codes = {
        shape.name: shape.metadata.get("error", {}).get("code", shape.name)
        for shape in service_model(service).error_shapes
    }
    if given in codes:
        return given, codes[given]
    return next((name for name, code in codes.items() if code == given), given), given


class Route:
    """One REST operation: what a request must look like to be it."""

    def __init__(self, service: str, operation: str) -> None:
        model = operation_model(service, operation)
        self.operation = operation
        self.deprecated = bool(model.deprecated)
        self.method = model.http["method"]
        path, _, query = model.http["requestUri"].partition("?")
        self.members: dict[str, str] = {}
        pattern, self.literals = [], 0
        for segment in path.strip("/").split("/") if path.strip("/") else []:
            placeholder = re.fullmatch(r"\{(.+?)(\+?)\}", segment)
            if placeholder:
                group = f"m{len(self.members)}"
                self.members[group] = placeholder[1]
                pattern.append(f"(?P<{group}>.+)" if placeholder[2] else f"(?P<{group}>[^/]+)")
            else:
                self.literals += 1
                pattern.append(re.escape(segment))
        self.path = re.compile("/" + "/".join(pattern) + "/?")
        self.query = {k: v or None for k, _, v in (part.partition("=") for part in query.split("&") if part)}
        self.headers: list[str] = []
        shape = model.input_shape
        for name in shape.required_members if shape else []:
            serialization = shape.members[name].serialization
            if serialization.get("location") == "querystring":
                self.query.setdefault(serialization["name"], None)
            elif serialization.get("location") == "header":
                self.headers.append(serialization["name"].lower())

    @property
    def order(self) -> tuple[int, int, int, bool]:
        """The most specific route is tried first, and a deprecated one after a successor with the same URI."""
        return -(len(self.query) + len(self.headers)), -self.literals, len(self.members), self.deprecated


@functools.cache
def routes(service: str) -> list[Route]:
    """A REST service's operations, most specific first."""
    return sorted((Route(service, name) for name in service_model(service).operation_names), key=lambda one: one.order)
