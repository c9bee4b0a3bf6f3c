"""CloudWatch Logs: all its operations, by topic in the modules they are mixed in from."""

from __future__ import annotations

from drydock.services.logs.groups import GroupOperations
from drydock.services.logs.metric_filters import MetricFilterOperations
from drydock.services.logs.searching import SearchOperations
from drydock.services.logs.streams import StreamOperations

_INSTEAD = {
    "StartQuery": "Use FilterLogEvents with a filter pattern instead of Logs Insights.",
    "GetQueryResults": "Use FilterLogEvents with a filter pattern instead of Logs Insights.",
    "PutSubscriptionFilter": "Poll with FilterLogEvents instead of a subscription.",
    "StartLiveTail": "Poll with FilterLogEvents and a startTime, as 'aws logs tail --follow' does.",
    "CreateExportTask": "Read with FilterLogEvents and write to S3 yourself.",
    "AssociateKmsKey": "Nothing is encrypted.",
}


class Logs(GroupOperations, StreamOperations, SearchOperations, MetricFilterOperations):
    """The service. Times are lab time in milliseconds, as AWS shows them."""

    def instead_of(self, operation: str) -> str:
        return _INSTEAD.get(operation, "")
