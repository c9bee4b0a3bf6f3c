"""The command line: ``./lab <verb>``."""
