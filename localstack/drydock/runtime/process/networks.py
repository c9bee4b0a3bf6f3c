"""The networks of the namespaces tier: each is a net namespace that routes between its sandboxes, as a VPC's router does.

Sandboxes of one network reach each other by their addresses; those of different networks do not, and may have the same
addresses. A router bears :data:`ROUTER`, every sandbox's gateway, and the addresses that :meth:`listen` was asked for.
"""

from __future__ import annotations

import errno
import os
import socket

from drydock.runtime.process import netlink
from drydock.runtime.process.kernel import NEWNET, setns, unshare, write_file
from drydock.runtime.process.tier import Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ROUTER = "169.254.170.2"


class Router:
    __slots__ = ("addresses", "net")

    def __init__(self, net: int) -> None:
        self.net = net
        self.addresses: list[str] = []

    def bear(self, address: str) -> None:
        """Only inside of its namespace."""
        if address not in self.addresses:
            netlink.add_loopback_address(address, len(self.addresses) + 1)
            self.addresses.append(address)


class Networks:
    """``home`` is the helper's own net namespace, to which every detour returns."""

    def __init__(self, home: int) -> None:
        self.home = home
        self.routers: dict[str, Router] = {}

    def inside(self, net: int, action: Callable[[], Any]) -> Any:
        setns(net, NEWNET)
        try:
            return action()
        finally:
            setns(self.home, NEWNET)

    def new_namespace(self, prepare: Callable[[], None]) -> int:
        """A descriptor of a new net namespace in which ``prepare`` was called."""
        net = -1
        try:
            unshare(NEWNET, "net")
            net = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            netlink.link_up("lo")  # brings 127.0.0.1 of itself
            prepare()
        except OSError:
            if net >= 0:
                os.close(net)
            raise
        finally:
            setns(self.home, NEWNET)
        return net

    def open(self, name: str) -> None:
        router = Router(-1)

        def prepare() -> None:
            router.bear(ROUTER)
            write_file("/proc/sys/net/ipv4/ip_forward", "1")

        router.net = self.new_namespace(prepare)
        self.routers[name] = router

    def close(self, name: str) -> None:
        router = self.routers.pop(name, None)
        if router is not None:
            os.close(router.net)

    def listen(self, name: str, address: str, port: int) -> int:
        router = self.routers[name]

        def make() -> int:
            router.bear(address)
            with new_socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.listen(1024)
                return listener.detach()

        made: int = self.inside(router.net, make)
        return made

    def link(self, sandbox: Sandbox) -> None:
        """A veth between a sandbox's namespace and its network's router."""
        router = self.routers[sandbox.network]
        link = f"v{sandbox.net}"

        def at_router() -> None:
            netlink.add_veth(link, "eth0", sandbox.net)
            sandbox.link = link
            netlink.link_up(link)
            for address in sandbox.addresses:
                netlink.add_route_to(link, address, ROUTER)

        def go_out() -> None:
            netlink.link_up("eth0")
            netlink.add_default_route("eth0", ROUTER, sandbox.addresses[0])

        self.inside(router.net, at_router)
        if sandbox.addresses:
            self.inside(sandbox.net, go_out)

    def unlink(self, sandbox: Sandbox) -> None:
        """Sockets that were passed out may keep the namespace alive for long; without the link it reaches nobody."""
        if sandbox.link:
            link, sandbox.link = sandbox.link, ""
            try:
                self.inside(self.routers[sandbox.network].net, lambda: netlink.delete_link(link))
            except OSError as error:
                gone = (errno.ENODEV, errno.ENXIO, None)  # with its other end; Python 3.11 gives no number for it
                if error.errno not in gone:
                    raise


def new_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
