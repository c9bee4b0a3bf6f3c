"""The child process through which user traffic flows, so that a load test cannot starve the API.

``plane.py`` and ``balancers.py`` are the emulator's side, ``child.py`` the process, ``balancing`` its load balancers' half.
It forwards ports of the loopback address into tasks, and requests from listeners to targets. The child has no way into a
task of its own: for each connection it asks the emulator, which decides, has the runtime connect, and passes the socket.
"""
