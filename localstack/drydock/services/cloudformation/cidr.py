"""Fn::Cidr: so many blocks out of a block. Pure."""

from __future__ import annotations

import ipaddress
import itertools

from drydock.services.cloudformation.faults import template_error

MOST = 256


def blocks(block: str, count: str, bits: str | None) -> list[str]:
    """``count`` (1 to 256) blocks with ``bits`` bits for hosts each (IPv4: 8 if left out, IPv6: 64). Raises
    ValidationError."""
    try:
        network = ipaddress.ip_network(block, strict=False)
        number = int(count)
        host_bits = int(bits) if bits is not None else (8 if network.version == 4 else 64)
    except ValueError:
        raise template_error(f"Fn::Cidr: {block} is not a valid CIDR block, or its numbers are none.") from None  # (?)
    if not 1 <= number <= MOST:
        raise template_error("Fn::Cidr: the count must be between 1 and 256.")  # (?)
    prefix = network.max_prefixlen - host_bits
    if not 0 < host_bits <= network.max_prefixlen or prefix < network.prefixlen:
        raise template_error(f"Fn::Cidr: {block} has no blocks with {host_bits} bits.")  # (?)
    if number > 1 << (prefix - network.prefixlen):
        raise template_error(f"Fn::Cidr: {block} has no {number} blocks with {host_bits} bits.")  # (?)
    return [str(one) for one in itertools.islice(network.subnets(new_prefix=prefix), number)]
