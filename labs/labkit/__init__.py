"""What the notebooks import: ``import labkit as lab``.

labkit never hides AWS. A cell calls plain boto3 on a session that :func:`session` makes; labkit only says which account
that is, waits, shows, checks and cleans up. The same cells run on the embedded emulator, on LocalStack and on AWS.
"""

from __future__ import annotations

from labkit.addresses import url
from labkit.answers import draw_answers
from labkit.balancers import draw_balancer
from labkit.chapter import Chapter, begin
from labkit.charts import chart
from labkit.cleaning import cleanup
from labkit.clocks import clock, fast, now
from labkit.clusters import draw_cluster
from labkit.commands import expect_error, sh, skip_what_is_missing
from labkit.dashboards import draw_dashboard
from labkit.drawing import diagram
from labkit.errors import LabError
from labkit.execute import execute
from labkit.exercises import check, hint, quiz
from labkit.instances import draw_instances
from labkit.loads import load, show_report
from labkit.networks import draw_network
from labkit.preflight import preflight
from labkit.scheduler_story import draw_scheduler, events
from labkit.sessions import client, session
from labkit.showing import log_lines, show, timeline
from labkit.stack_pictures import draw_stack, watch_stack
from labkit.stories import story
from labkit.waiting import wait

__all__ = [
    "Chapter",
    "LabError",
    "begin",
    "chart",
    "check",
    "cleanup",
    "client",
    "clock",
    "diagram",
    "draw_answers",
    "draw_balancer",
    "draw_cluster",
    "draw_dashboard",
    "draw_instances",
    "draw_network",
    "draw_scheduler",
    "draw_stack",
    "events",
    "execute",
    "expect_error",
    "fast",
    "hint",
    "load",
    "log_lines",
    "now",
    "preflight",
    "quiz",
    "session",
    "sh",
    "show",
    "show_report",
    "skip_what_is_missing",
    "story",
    "timeline",
    "url",
    "wait",
    "watch_stack",
]
