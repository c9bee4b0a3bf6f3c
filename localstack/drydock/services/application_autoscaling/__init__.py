"""Application Auto Scaling: changes the desired count of ECS services when alarms, schedules or bounds ask for it."""
