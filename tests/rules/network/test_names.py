"""What the name server of a VPC answers."""

from __future__ import annotations

import asyncio

import dnslib
import pytest
from drydock.network.names import MOST, Names, answer, private_address
from hypothesis import given
from hypothesis import strategies as st

KNOWN = {"web-1.us-east-1.elb.localhost": ["10.0.0.5", "10.0.1.5"]}


def look_up(name: str) -> list[str]:
    return KNOWN.get(name, [])


def asked(name: str, kind: str = "A") -> dnslib.DNSRecord:
    said = answer(dnslib.DNSRecord.question(name, kind).pack(), look_up)
    assert said is not None
    return dnslib.DNSRecord.parse(said)


def test_a_load_balancer_in_any_case() -> None:
    found = asked("Web-1.US-east-1.elb.localhost")
    assert [str(each.rdata) for each in found.rr] == KNOWN["web-1.us-east-1.elb.localhost"]


def test_there_is_no_other_kind_of_address() -> None:
    found = asked("web-1.us-east-1.elb.localhost", "AAAA")
    assert (found.header.rcode, found.rr) == (dnslib.RCODE.NOERROR, [])


@pytest.mark.parametrize(
    ("name", "code"),
    [("web-2.us-east-1.elb.localhost", "NXDOMAIN"), ("nobody.ec2.internal", "NXDOMAIN"), ("example.org", "SERVFAIL")],
)
def test_names_that_are_not_there(name: str, code: str) -> None:
    assert dnslib.RCODE[asked(name).header.rcode] == code


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip-10-0-1-7.ec2.internal", ["10.0.1.7"]),
        ("ip-10-0-1-7.eu-west-1.compute.internal", ["10.0.1.7"]),
        ("ip-10-0-1-256.ec2.internal", []),
        ("ip-10-0-1.ec2.internal", []),
    ],
)
def test_private_names(name: str, address: list[str]) -> None:
    assert private_address(name) == address


@given(st.binary(max_size=300))
def test_anything_else_is_not_answered_or_answered_well(message: bytes) -> None:
    said = answer(message, look_up)
    assert said is None or dnslib.DNSRecord.parse(said).header.id == int.from_bytes(message[:2], "big")


class Transport(asyncio.WriteTransport):
    def __init__(self) -> None:
        super().__init__()
        self.said, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True


@given(st.integers(1, 40))
def test_questions_that_come_in_pieces(size: int) -> None:
    question = dnslib.DNSRecord.question("web-1.us-east-1.elb.localhost").pack()
    stream = (len(question).to_bytes(2, "big") + question) * 2
    transport, connection = Transport(), Names(look_up)
    connection.connection_made(transport)
    for start in range(0, len(stream), size):
        connection.data_received(stream[start : start + size])
    first = int.from_bytes(transport.said[:2], "big")
    assert len(transport.said) == 2 * (2 + first) and not transport.closed


@pytest.mark.parametrize("length", [0, MOST + 1])
def test_a_length_that_cannot_be(length: int) -> None:
    transport, connection = Transport(), Names(look_up)
    connection.connection_made(transport)
    connection.data_received(length.to_bytes(2, "big"))
    assert transport.closed
