"""The load balancers' half of the data plane's process.

``heads``, ``chunks``, ``matching``, ``choosing``, ``cookies`` and ``pages`` decide and know no I/O; ``front`` speaks with clients, ``back``
with targets, ``balancer`` keeps what the emulator has told, ``checks`` tries targets, ``counting`` counts.
"""
