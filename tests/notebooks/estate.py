"""What is there in an account, asked for by plain boto3: not by the code whose work is being checked."""

from __future__ import annotations

from typing import Any

import boto3
from labkit.builder.emulator import Emulator


def client(emulator: Emulator, account: str, service: str) -> Any:
    """As the account's root."""
    return boto3.client(
        service,
        endpoint_url=emulator.url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="test",
    )


def left_behind(emulator: Emulator, account: str) -> dict[str, list[str]]:
    """By kind, what a chapter's clean-up should have deleted; kinds with nothing are left out."""
    ecs, iam, logs, ec2, ssm = (client(emulator, account, name) for name in ("ecs", "iam", "logs", "ec2", "ssm"))
    scaling, elb, cloudformation = (
        client(emulator, account, name) for name in ("autoscaling", "elbv2", "cloudformation")
    )
    cloudwatch, targets = (client(emulator, account, name) for name in ("cloudwatch", "application-autoscaling"))
    alarms = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    machines = [one for each in ec2.describe_instances()["Reservations"] for one in each["Instances"]]
    groups = ec2.describe_security_groups()["SecurityGroups"]
    roles = [role for role in iam.list_roles()["Roles"] if not role["Path"].startswith("/aws-service-role/")]
    routes = ec2.describe_route_tables()["RouteTables"]
    vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]}
    found = {
        "stacks": [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]],
        "VPCs": sorted(vpcs),
        "subnets": [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"] if not one["DefaultForAz"]],
        "internet gateways": [
            gateway["InternetGatewayId"]
            for gateway in ec2.describe_internet_gateways()["InternetGateways"]
            if not gateway["Attachments"] or gateway["Attachments"][0]["VpcId"] in vpcs
        ],
        "route tables": [
            table["RouteTableId"] for table in routes if not any(one.get("Main") for one in table["Associations"])
        ],
        "clusters": ecs.list_clusters()["clusterArns"],
        "task definitions": ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
        "inactive task definitions": ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"],
        "instances": [one["InstanceId"] for one in machines if one["State"]["Name"] != "terminated"],
        "volumes": [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]],
        "load balancers": [each["LoadBalancerName"] for each in elb.describe_load_balancers()["LoadBalancers"]],
        "target groups": [each["TargetGroupName"] for each in elb.describe_target_groups()["TargetGroups"]],
        "launch templates": [each["LaunchTemplateName"] for each in ec2.describe_launch_templates()["LaunchTemplates"]],
        "Auto Scaling groups": [
            each["AutoScalingGroupName"] for each in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        ],
        "alarms": [each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in alarms[kind]],
        "dashboards": [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]],
        "scalable targets": [
            each["ResourceId"] for each in targets.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        ],
        "instance profiles": [each["InstanceProfileName"] for each in iam.list_instance_profiles()["InstanceProfiles"]],
        "log groups": [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]],
        "roles": [role["RoleName"] for role in roles],
        "security groups": [group["GroupName"] for group in groups if group["GroupName"] != "default"],
        "parameters": [
            each["Name"] for each in ssm.describe_parameters()["Parameters"] if not each["Name"].startswith("/aws/")
        ],
        "network interfaces": [
            eni["NetworkInterfaceId"] for eni in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
    }
    return {kind: names for kind, names in found.items() if names}


def fresh(emulator: Emulator, account: str) -> None:
    """The account as on its first day."""
    emulator.ask("/_drydock/reset", {"account": account})


def faults(emulator: Emulator) -> list[str]:
    """The emulator's own invariants that do not hold."""
    return list(emulator.ask("/_drydock/validate")["faults"])
