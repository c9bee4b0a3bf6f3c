"""Gives EC2's network interfaces their private addresses as AWS does: inside the subnet's range and never one twice.

moto draws an interface's address at random from the whole range, the reserved ones included, without asking who has it;
instances without a subnet, NAT gateways and endpoints get one from anywhere in 10.0.0.0/8. Runs in the child.
"""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from drydock.moto_backend.rules import next_address


def adapt() -> None:
    """Take over the choice of addresses in moto's EC2."""
    from moto.ec2.models import elastic_network_interfaces, instances, nat_gateways, subnets, vpcs

    subnets.Subnet.get_available_subnet_ip = _address_for_instance
    subnets.Subnet.request_ip = _given_to_instance
    backend = elastic_network_interfaces.NetworkInterfaceBackend
    _adapt_create(backend)
    _adapt_assign(backend)
    _adapt_launch(instances.Instance)
    _adapt_terminate(instances.Instance)
    for module in (instances, nat_gateways, vpcs):
        module.random_private_ip = lambda: ""  # the interface chooses, which knows its subnet
    initialise = nat_gateways.NatGateway.__init__

    def __init__(gateway: Any, *arguments: Any, **named: Any) -> None:
        initialise(gateway, *arguments, **named)
        gateway.private_ip = gateway._eni.private_ip_address

    nat_gateways.NatGateway.__init__ = __init__


def _adapt_launch(instance: Any) -> None:
    """Interfaces made with an instance go with it unless asked otherwise, as on AWS; moto's would keep their address."""
    prepare = instance.prep_nics

    def prep_nics(made: Any, nic_spec: list[dict[str, Any]], *rest: Any, **named: Any) -> None:
        specified = nic_spec or [{"DeviceIndex": 0}]
        for interface in specified:
            if not interface.get("NetworkInterfaceId") and interface.get("DeleteOnTermination") is None:
                interface["DeleteOnTermination"] = True
        prepare(made, specified, *rest, **named)

    instance.prep_nics = prep_nics


def _adapt_terminate(instance: Any) -> None:
    """Termination gives the address back (moto: whenever the object is collected) and may be asked for twice."""
    terminate = instance.terminate

    def release_and_terminate(gone: Any) -> Any:
        if gone._state.name == "terminated":
            return copy.copy(gone._state)
        subnet = gone.ec2_backend.get_subnet(gone.subnet_id)
        previous = terminate(gone)
        for address in gone._private_ips:
            subnet._subnet_ips.pop(address, None)
        return previous

    instance.terminate = release_and_terminate
    instance.__del__ = lambda gone: None


def choose(subnet: Any, count: int = 1) -> list[str]:
    """So many free addresses of a subnet. Raises AWS's InsufficientFreeAddressesInSubnet."""
    used = in_use(subnet) | set(subnet._subnet_ips) | {str(address) for address in subnet._reserved_ips}
    chosen: list[str] = []
    for _ in range(count):
        address = next_address(subnet.cidr_block, used, getattr(subnet, "last_given", None))
        if address is None:
            _refuse(
                "InsufficientFreeAddressesInSubnet",
                "The specified subnet does not have enough free addresses to satisfy the request.",
            )
        chosen.append(str(address))
        used.add(str(address))
        subnet.last_given = address
    return chosen


def in_use(subnet: Any) -> set[str]:
    """The addresses of the interfaces in a subnet."""
    return {
        address["PrivateIpAddress"]
        for interface in subnet.ec2_backend.enis.values()
        if interface.subnet.id == subnet.id
        for address in interface.private_ip_addresses
    }


def check(subnet: Any, address: str) -> None:
    """Raises AWS's errors for an address that was asked for and cannot be had."""
    try:
        inside = ipaddress.ip_address(address) in subnet.cidr
    except ValueError:
        _refuse("InvalidParameterValue", f"Value ({address}) for parameter privateIpAddress is invalid. ")
    if not inside:
        _refuse("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
    if address in in_use(subnet):
        _refuse("InvalidIPAddress.InUse", f"Address {address} is in use.")


def _refuse(code: str, message: str) -> None:
    from moto.ec2.exceptions import EC2ClientError

    raise EC2ClientError(code, message)


def _address_for_instance(subnet: Any, instance: Any) -> str:
    address = choose(subnet)[0]
    subnet._subnet_ips[address] = instance
    return address


def _given_to_instance(subnet: Any, ip: str, instance: Any) -> None:
    check(subnet, ip)
    subnet._subnet_ips[ip] = instance


def _adapt_create(backend: Any) -> None:
    create = backend.create_network_interface

    def create_network_interface(
        ec2: Any, subnet: Any, private_ip_address: Any, private_ip_addresses: Any = None, *rest: Any, **named: Any
    ) -> Any:
        if isinstance(subnet, str):
            subnet = ec2.get_subnet(subnet)
        if isinstance(private_ip_address, list):
            private_ip_address = private_ip_address[0] if private_ip_address else None
        asked = [a if isinstance(a, str) else a["PrivateIpAddress"] for a in private_ip_addresses or []]
        for address in {private_ip_address, *asked} - {None, ""}:
            check(subnet, address)
        if subnet.cidr_block and not asked:
            secondary = int(named.pop("secondary_ips_count", None) or 0)
            chosen = choose(subnet, secondary + (not private_ip_address))
            private_ip_address = private_ip_address or chosen.pop(0)
            private_ip_addresses = [{"Primary": True, "PrivateIpAddress": private_ip_address}]
            private_ip_addresses += [{"Primary": False, "PrivateIpAddress": address} for address in chosen]
        return create(ec2, subnet, private_ip_address, private_ip_addresses, *rest, **named)

    backend.create_network_interface = create_network_interface


def _adapt_assign(backend: Any) -> None:
    assign = backend.assign_private_ip_addresses

    def assign_private_ip_addresses(
        ec2: Any, eni_id: str, private_ip_addresses: list[str] | None = None, secondary_ips_count: int | None = None
    ) -> Any:
        subnet = ec2.get_network_interface(eni_id).subnet
        for address in private_ip_addresses or []:
            check(subnet, address)
        if secondary_ips_count and not private_ip_addresses:
            private_ip_addresses = choose(subnet, int(secondary_ips_count))
        return assign(ec2, eni_id, private_ip_addresses)

    backend.assign_private_ip_addresses = assign_private_ip_addresses
