"""EC2 Auto Scaling: groups that keep as many instances running as they are asked to.

What is wanted (sizes, members, tags) is kept by moto; here it is compared with the instances that there are, and made true
through EC2's API, under the service's own name.
"""
