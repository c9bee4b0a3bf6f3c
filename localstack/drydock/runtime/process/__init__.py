"""Containers as processes of this machine, without a container engine. ``driver.ProcessRuntime`` is what others use.

    emulator (asyncio: driver, channel, output)
       |  one socket: messages and descriptors
    helper (one thread, no asyncio: helper, and one of namespaces or plain)
       |- container
       '- ...

This package imports nothing by itself: the helper starts from it and has to stay small.
"""
