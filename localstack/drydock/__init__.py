"""Drydock: a local AWS in which the steps of a course on ECS and CI/CD really happen."""

__version__ = "0.1.0"
