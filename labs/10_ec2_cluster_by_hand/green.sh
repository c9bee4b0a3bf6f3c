#!/bin/bash
echo 'ECS_CLUSTER=lab-10' >> /etc/ecs/ecs.config
echo 'ECS_INSTANCE_ATTRIBUTES={"team": "green"}' >> /etc/ecs/ecs.config
