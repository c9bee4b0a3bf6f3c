"""Notebooks are built, run and compared."""
