"""The lives of a stack and of a change set, as tables.

1. A stack is always in one of these states; who changes it, changes it along an edge.
2. An operation may only begin in the states that :data:`MAY_BEGIN` names.
3. Every ``..._IN_PROGRESS`` is left by the engine alone, whatever happens, also over a restart.

Source: "Stack status codes" of the CloudFormation User Guide.
"""

from __future__ import annotations

STACK: dict[str, tuple[str, ...]] = {
    "REVIEW_IN_PROGRESS": ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
    "CREATE_IN_PROGRESS": (
        "CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS",
    ),
    "CREATE_FAILED": ("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
    "CREATE_COMPLETE": ("UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    "ROLLBACK_IN_PROGRESS": ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_IN_PROGRESS"),
    "ROLLBACK_COMPLETE": ("DELETE_IN_PROGRESS",),
    "ROLLBACK_FAILED": ("DELETE_IN_PROGRESS",),
    "DELETE_IN_PROGRESS": ("DELETE_COMPLETE", "DELETE_FAILED"),
    "DELETE_FAILED": ("DELETE_IN_PROGRESS",),
    "DELETE_COMPLETE": (),
    "UPDATE_IN_PROGRESS": (
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED", "DELETE_IN_PROGRESS",
    ),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": ("UPDATE_COMPLETE", "DELETE_IN_PROGRESS"),
    "UPDATE_COMPLETE": ("UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    "UPDATE_FAILED": ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    "UPDATE_ROLLBACK_IN_PROGRESS": (
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "DELETE_IN_PROGRESS",
    ),
    "UPDATE_ROLLBACK_FAILED": ("UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": ("UPDATE_ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"),
    "UPDATE_ROLLBACK_COMPLETE": ("UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"),
}  # fmt: skip

MAY_BEGIN: dict[str, tuple[str, ...]] = {
    "UPDATE": ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"),
    "CONTINUE_ROLLBACK": ("UPDATE_ROLLBACK_FAILED",),
    "ROLLBACK": ("CREATE_FAILED", "UPDATE_FAILED"),
    "CANCEL": ("UPDATE_IN_PROGRESS",),
}
"""The states in which an operation may begin; a deletion may always"""


def may_follow(status: str, next_status: str) -> bool:
    """Whether a stack may go from one state to another."""
    return next_status in STACK[status]
