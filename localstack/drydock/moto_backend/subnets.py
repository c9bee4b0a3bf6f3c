"""A subnet that is deleted takes its association with a route table along, as on AWS; moto's would keep the table from being
deleted for ever. Runs in the child."""

from __future__ import annotations

from typing import Any


def adapt() -> None:
    """Take over the deletion of subnets in moto's EC2."""
    from moto.ec2.models import EC2Backend

    delete = EC2Backend.delete_subnet

    def delete_subnet(backend: Any, subnet_id: str) -> Any:
        gone = delete(backend, subnet_id)
        for table in backend.route_tables.values():
            for association, associated in list(table._associations.items()):
                if associated == subnet_id:
                    del table._associations[association]
        return gone

    EC2Backend.delete_subnet = delete_subnet
