"""The child process through which user traffic flows, so that a load test cannot starve the API.

``plane.py`` is the emulator's side, ``child.py`` the process. So far it forwards ports of the loopback address into tasks;
load balancers come here later. The child has no way into a task of its own: for each connection it asks the emulator, which
decides, has the runtime connect, and passes the socket.
"""
