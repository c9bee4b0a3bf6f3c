"""Public addresses of EC2's network interfaces as AWS gives them: on request, never one twice, told by where they belong.

moto does not know ModifyNetworkInterfaceAttribute's ``AssociatePublicIpAddress``, draws addresses without asking who has
them, and gives them a private name. Such an address belongs to no Elastic IP, so DescribeAddresses does not know it. Runs
in the child.
"""

from __future__ import annotations

from typing import Any


def adapt() -> None:
    """In moto's models of EC2."""
    from moto.ec2.models import elastic_network_interfaces

    elastic_network_interfaces.random_public_ip = draw
    interface = elastic_network_interfaces.NetworkInterface
    association, value = interface.association.fget, interface.get_filter_value

    def shown(described: Any) -> dict[str, Any]:
        found: dict[str, Any] = association(described)
        if found:
            found["publicDnsName"] = name_of(described.public_ip, described.ec2_backend.region_name)
            if "associationId" not in found:
                found["ipOwnerId"] = "amazon"
        return found

    def get_filter_value(described: Any, name: str, method: str | None = None) -> Any:
        return described.public_ip if name == "association.public-ip" else value(described, name, method)

    interface.association = property(shown)
    interface.get_filter_value = get_filter_value


def adapt_responses() -> None:
    """When the code that answers EC2's requests has been imported."""
    from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

    modify = ElasticNetworkInterfaces.modify_network_interface_attribute

    def modify_network_interface_attribute(request: Any) -> Any:
        answer = modify(request)
        wanted = request._get_param("AssociatePublicIpAddress")
        if wanted is not None:
            interface = request.ec2_backend.get_network_interface(request._get_param("NetworkInterfaceId"))
            interface.public_ip_auto_assign = str(wanted).lower() == "true"
            if not interface.public_ip_auto_assign:
                interface.public_ip = None
            elif not interface.public_ip:
                interface.public_ip = draw()
        return answer

    ElasticNetworkInterfaces.modify_network_interface_attribute = modify_network_interface_attribute


def draw() -> str:
    """One that nobody has, in no account."""
    from moto.ec2.models import ec2_backends
    from moto.ec2.utils import random_public_ip

    backends = [backend for account in ec2_backends.values() for backend in account.values()]
    taken = {interface.public_ip for backend in backends for interface in backend.enis.values()}
    taken |= {address.public_ip for backend in backends for address in backend.addresses}
    while (address := random_public_ip()) in taken:
        continue
    return str(address)


def name_of(address: str, region: str) -> str:
    """AWS's public DNS name ("DNS attributes for your VPC")."""
    place = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{place}.amazonaws.com"
