"""What a stand-in machine has on its disk beyond this computer's own files: its first process and a few commands.

The files beside this one run inside a machine, by the host's interpreter without site-packages; they import nothing of
the emulator.
"""
