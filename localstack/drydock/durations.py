"""How long AWS typically takes for what is not work of ours, in seconds of lab time. One table, so that the story a
learner sees is true at 1x and nobody hides a pause elsewhere.

Figures are what one commonly sees in the console, in the middle of their range; ``serve --instant`` makes them all zero.
"""

from __future__ import annotations

FARGATE_PROVISIONING = 9.0
"""Finding capacity and attaching the network interface"""
FARGATE_PULL = 14.0
"""Pulling a small image to a fresh micro-VM; together with provisioning 20-40 s"""
PULL_TIMEOUT = 150.0
"""Until a pull is given up whose registry does not answer: five attempts of 30 s"""
FARGATE_DEPROVISIONING = 6.0
"""Detaching and deleting the network interface"""
EC2_PROVISIONING = 3.0
"""Attaching a network interface to a container instance"""
EC2_PULL, EC2_CACHED_PULL = 12.0, 1.0
"""Pulling a small image to a container instance, and finding it there"""
EC2_DEPROVISIONING = 2.0
DEPLOYMENT_SETTLES = 10.0
"""That the tasks of a deployment run, at least, before the scheduler calls it completed"""
SCHEDULER_ROUND = 3.0
"""Between a change and what a service's scheduler does about it"""
TARGETS_LOOKED_AT = 5.0
"""Between two questions of ECS to a load balancer about its targets"""
STOPPED_TASK_KEPT = 3600.0
"""A stopped task can be described for an hour ("Viewing Amazon ECS stopped task errors")"""

EC2_PENDING = 15.0
"""From RunInstances or StartInstances until the instance runs"""
EC2_STATUS_CHECKS = 120.0
"""Until the status checks of a running instance pass, which they begin with every start"""
EC2_CONSOLE = 60.0
"""From the boot until GetConsoleOutput shows anything, unless the latest output is asked for"""
EC2_STOPPING = 20.0
"""Shutting down, until the instance is stopped"""
EC2_SHUTTING_DOWN = 20.0
"""Shutting down, until the instance is terminated"""
EC2_TERMINATED_KEPT = 3600.0
"""A terminated instance can be described for about an hour ("Terminate Amazon EC2 instances")"""
GROUP_HEALTH_CHECK = 30.0
"""Until an Auto Scaling group notices that a member does not run any more (?)"""
LOAD_BALANCER_PROVISIONING = 120.0
"""From CreateLoadBalancer until it is active: two to three minutes"""
TARGET_REGISTRATION = 5.0
"""From the registration of a target until its first health check (?)"""
ECS_AGENT_START = 5.0
"""From the end of the user data until the ECS agent registers"""

STACK_RESOURCE = 2.0
"""That CloudFormation takes for a resource beyond what the resource itself takes (?)"""
STACK_LOOK = 2.0
"""Between two looks of CloudFormation at whether a resource is steady, or gone"""
STACK_RETRIES = 60.0
"""How long CloudFormation tries again to delete what something else still uses (?)"""


def scaled(seconds: float, instant: bool) -> float:
    """``seconds``, or nothing if states are to take no time (benchmarks)."""
    return 0.0 if instant else seconds
