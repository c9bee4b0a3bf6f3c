"""EC2 instances that really run, and the Auto Scaling groups that keep them.

The control plane (templates, key pairs, tags, networks, descriptions) is moto's. Here is what makes it true: a machine
for every instance, its user data, its metadata service, its ECS agent.
"""
