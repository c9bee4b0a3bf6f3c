"""Links, addresses and routes of the net namespace we are in now, by ioctl and rtnetlink. Needs no ``ip`` program."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_IFF_UP = 1
_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWROUTE = 16, 17, 24
_REQUEST_AND_ACK, _CREATE, _EXCL = 1 | 4, 0x400, 0x200
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD, _INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 3, 18, 28, 1, 2, 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_RT_TABLE_MAIN, _RTPROT_BOOT, _RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RTN_UNICAST, _RTNH_F_ONLINK = 254, 3, 0, 253, 1, 4


def _ifreq(request: int, name: str, payload: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack("16s24s", name.encode(), payload))


def link_up(name: str) -> None:
    flags = struct.unpack_from("H", _ifreq(_SIOCGIFFLAGS, name, b""), 16)[0]
    _ifreq(_SIOCSIFFLAGS, name, struct.pack("H", flags | _IFF_UP))


def add_loopback_address(address: str, number: int) -> None:
    """As ``lo:<number>``, for this one address (/32). Raises OSError naming the address."""
    for request, value in ((_SIOCSIFADDR, socket.inet_aton(address)), (_SIOCSIFNETMASK, b"\xff" * 4)):
        try:
            _ifreq(request, f"lo:{number}", struct.pack("HH4s", socket.AF_INET, 0, value))
        except OSError as error:
            error.filename = f"add address {address}"
            raise


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _request(kind: int, flags: int, body: bytes, what: str) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), kind, flags | _REQUEST_AND_ACK, 1, 0) + body)
        code = struct.unpack_from("i", s.recv(65536), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code), what)


def add_veth(name: str, peer: str, peer_namespace: int) -> None:
    """A pair of links: ``name`` here, ``peer`` in the net namespace behind the descriptor."""
    info = struct.pack("BxHiII", 0, 0, 0, 0, 0)
    other = info + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
    other += _attribute(_IFLA_NET_NS_FD, struct.pack("I", peer_namespace))
    kind = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, _attribute(_VETH_INFO_PEER, other))
    body = info + _attribute(_IFLA_IFNAME, name.encode() + b"\0") + _attribute(_IFLA_LINKINFO, kind)
    _request(_RTM_NEWLINK, _CREATE | _EXCL, body, "add veth")


def delete_link(name: str) -> None:
    index = socket.if_nametoindex(name)
    _request(_RTM_DELLINK, 0, struct.pack("BxHiII", 0, 0, index, 0, 0), "delete veth")


def _route_head(length: int, scope: int, flags: int) -> bytes:
    fixed = (socket.AF_INET, length, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, flags)
    return struct.pack("BBBBBBBBI", *fixed)


def _route_tail(device: str, source: str) -> bytes:
    index = struct.pack("I", socket.if_nametoindex(device))
    return _attribute(_RTA_OIF, index) + _attribute(_RTA_PREFSRC, socket.inet_aton(source))


def add_route_to(device: str, destination: str, source: str) -> None:
    """One address is at the other end of the link."""
    body = _route_head(32, _RT_SCOPE_LINK, 0) + _attribute(_RTA_DST, socket.inet_aton(destination))
    _request(_RTM_NEWROUTE, _CREATE, body + _route_tail(device, source), "add route")


def add_default_route(device: str, gateway: str, source: str) -> None:
    """By an on-link gateway: the device has no address, and by link scope nobody would answer ARP for other tasks'."""
    body = _route_head(0, _RT_SCOPE_UNIVERSE, _RTNH_F_ONLINK) + _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    _request(_RTM_NEWROUTE, _CREATE, body + _route_tail(device, source), "add default route")
