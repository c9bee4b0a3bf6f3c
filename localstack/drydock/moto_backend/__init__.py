"""The supporting AWS services that come from moto, in a child process: the only package that knows moto.

``backend`` and what it imports run in the emulator and never import moto; ``child`` and what it imports do so.
"""
