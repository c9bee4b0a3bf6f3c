"""The data channel's messages, byte for byte."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from drydock.services.ssm import messages
from drydock.services.ssm.messages import BadMessage, Message
from hypothesis import given
from hypothesis import strategies as st

ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
HELLO = (
    "00000074"  # header length: 116
    "696e7075745f73747265616d5f64617461202020202020202020202020202020"  # input_stream_data, padded with blanks to 32
    "00000001"  # schema
    "000001a21f3aff5f"  # created
    "0000000000000007"  # sequence
    "0000000000000003"  # flags
    "8899aabbccddeeff0011223344556677"  # id: the lower half first
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # SHA-256 of hello
    "00000001"  # payload type
    "00000005"  # payload length
    "68656c6c6f"
)
MESSAGE = Message("input_stream_data", b"hello", ID, 0x1A21F3AFF5F, 1, 7, 3)
MESSAGES = st.builds(
    Message,
    type=st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=32),
    payload=st.binary(max_size=2000),
    id=st.uuids(),
    created=st.integers(0, 2**64 - 1),
    payload_type=st.integers(0, 2**32 - 1),
    sequence=st.integers(-(2**63), 2**63 - 1),
    flags=st.integers(0, 2**64 - 1),
    schema=st.integers(0, 2**32 - 1),
)


def test_a_message_is_exactly_these_bytes() -> None:
    assert messages.encode(MESSAGE).hex() == HELLO
    assert messages.decode(bytes.fromhex(HELLO)) == MESSAGE


@given(MESSAGES)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    data = messages.encode(message)
    assert len(data) == 120 + len(message.payload)
    assert messages.decode(data) == message


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_bad(data: bytes) -> None:
    try:
        found = messages.decode(data)
    except BadMessage:
        return
    assert messages.encode(found)[36:] != b""


@given(MESSAGES, st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_payload_is_bad(message: Message, at: int, by: int) -> None:
    data = bytearray(messages.encode(message))
    if message.payload:
        data[120 + at % len(message.payload)] ^= by
        with pytest.raises(BadMessage, match="payload Hash is not valid"):
            messages.decode(bytes(data))


def changed(at: int, to: bytes) -> bytes:
    data = bytearray(messages.encode(MESSAGE))
    data[at : at + len(to)] = to
    return bytes(data)


@pytest.mark.parametrize("data, why", [
    (b"", "shorter than a header"), (bytes.fromhex(HELLO)[:119], "shorter than a header"),
    (changed(0, (115).to_bytes(4, "big")), "no header of 115 bytes"),
    (changed(0, (2**32 - 1).to_bytes(4, "big")), "no header of"),
    (changed(116, (6).to_bytes(4, "big")), "not the length that it says"),
    (bytes.fromhex(HELLO) + b"!", "not the length that it says"),
    (changed(4, b"\xff"), "no text"), (changed(4, b" " * 32), "MessageType is missing"),
    (changed(80, b"\0" * 32), "payload Hash is not valid"),
])  # fmt: skip
def test_what_is_no_message(data: bytes, why: str) -> None:
    with pytest.raises(BadMessage, match=why):
        messages.decode(data)


def test_types_padded_with_zeros_are_understood() -> None:
    assert messages.decode(changed(4, b"acknowledge".ljust(32, b"\0"))).type == "acknowledge"


def test_a_header_may_be_longer_than_we_know() -> None:
    data = bytes.fromhex(HELLO)
    longer = (120).to_bytes(4, "big") + data[4:116] + b"more" + data[116:]
    assert messages.decode(longer) == MESSAGE


def test_an_empty_payload_has_the_digest_of_nothing() -> None:
    data = messages.encode(Message("start_publication", b"", ID, 1))
    assert data[80:112] == hashlib.sha256(b"").digest()
    assert messages.decode(data[:80] + b"\0" * 32 + data[112:]).payload == b"", "which clients need not send"


def test_acknowledgements() -> None:
    payload = messages.acknowledgement(MESSAGE)
    assert json.loads(payload) == {
        "AcknowledgedMessageType": "input_stream_data", "AcknowledgedMessageId": str(ID),
        "AcknowledgedMessageSequenceNumber": 7, "IsSequentialMessage": True,
    }  # fmt: skip
    assert messages.acknowledged(Message("acknowledge", payload, ID, 1)) == 7


def test_the_handshake() -> None:
    asked = json.loads(messages.handshake_request("3.1", "InteractiveCommands", {}))
    assert asked == {
        "AgentVersion": "3.1",
        "RequestedClientActions": [
            {"ActionType": "SessionType", "ActionParameters": {"SessionType": "InteractiveCommands", "Properties": {}}}
        ],
    }
    done = {"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}
    answer = {"ClientVersion": "1.2", "ProcessedClientActions": [done], "Errors": None}
    assert messages.refused_actions(json.dumps(answer).encode()) == []
    answer["ProcessedClientActions"] = [done | {"ActionStatus": 2, "Error": "Unknown session type"}]
    assert messages.refused_actions(json.dumps(answer).encode()) == [
        "SessionType failed on client with status 2 error: Unknown session type"
    ]
    complete = json.loads(messages.handshake_complete(0.25, "hello"))
    assert complete == {"HandshakeTimeToComplete": 250_000_000, "CustomerMessage": "hello"}


def test_the_last_message() -> None:
    assert json.loads(messages.channel_closed("ecs-1", ID, 17, "why")) == {
        "MessageType": "channel_closed", "MessageId": str(ID), "DestinationId": "ecs-1", "SessionId": "ecs-1",
        "SchemaVersion": 1, "CreatedDate": "17", "Output": "why",
    }  # fmt: skip


@pytest.mark.parametrize("payload, size", [
    (b'{"cols":80,"rows":24}', (80, 24)), (b'{"rows":1,"cols":0}', (0, 1)),
    (b'{"cols":99999,"rows":-3}', (65535, 0)),
])  # fmt: skip
def test_sizes(payload: bytes, size: tuple[int, int]) -> None:
    assert messages.terminal_size(payload) == size


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"cols":"80","rows":24}', b"\xff", b"[" * 100_000])
def test_documents_that_are_none(payload: bytes) -> None:
    for read in (messages.terminal_size, messages.refused_actions):
        with pytest.raises(BadMessage):
            read(payload)
    with pytest.raises(BadMessage):
        messages.acknowledged(Message("acknowledge", payload, ID, 1))


def test_how_a_channel_is_opened() -> None:
    text = '{"MessageSchemaVersion":"1.0","RequestId":"r","TokenValue":"t","ClientId":"c","ClientVersion":"1.2.0"}'
    assert messages.opening(text) == ("t", "c")
    assert messages.opening('{"TokenValue":"t"}') == ("t", "")
    for bad in ("", "{}", '{"TokenValue":null}', '{"TokenValue":"t","ClientId":3}', "null"):
        with pytest.raises(BadMessage):
            messages.opening(bad)
