"""Who may reach whom: security groups, routes and public addresses decide every connection, as on AWS.

``rules.py`` decides, from facts in the form of EC2's API; ``facts.py`` gets them there.
"""
