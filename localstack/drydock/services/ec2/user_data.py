"""User data to a plan of what the machine does at its boots, in cloud-init's order. Pure.

Sources: cloud-init's documentation ("User data formats", "Boot stages", "Module reference") and, for the words of its
warnings, its source. What cloud-init would do and a machine here does not is a warning on the console, never silence.

The plan is JSON: ``modules`` (name to content, the names are those of ``images/machine/init.py``), ``warnings`` (pairs of
cloud-init's module and text) and the raw ``user_data``. Contents of files and scripts are base64.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import shlex
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from email.message import Message

LARGEST = 16384
"""Bytes of user data that EC2 takes, as they are before they are base64"""
LARGEST_UNPACKED = 4 << 20
MOST_NODES = 50_000
"""Of a cloud-config's tree, aliases counted as often as they stand there"""
Plan = dict[str, Any]

_GZIP = b"\x1f\x8b"
_TYPES = {
    "#!": "text/x-shellscript",
    "#cloud-config-archive": "text/cloud-config-archive",
    "#cloud-config": "text/cloud-config",
    "#cloud-boothook": "text/cloud-boothook",
    "#include": "text/x-include-url",
    "#part-handler": "text/part-handler",
    "#upstart-job": "text/upstart-job",
    "## template: jinja": "text/jinja2",
}
"""By how a part begins; the first that fits"""
_UNSUPPORTED = {
    "text/x-include-url": "a machine here has no internet: nothing was included",
    "text/x-include-once-url": "a machine here has no internet: nothing was included",
    "text/part-handler": "part handlers are not run",
    "text/upstart-job": "there is no upstart",
    "text/jinja2": "templates are not filled in",
    "text/cloud-config-archive": "archives are not taken apart; use MIME multi-part",
}
_HANDLED = {
    "write_files",
    "bootcmd",
    "runcmd",
    "packages",
    "package_update",
    "package_upgrade",
    "merge_how",
    "merge_type",
}


class BadUserData(ValueError):
    """It cannot be read at all."""


class _Refused(ValueError):
    """A value of a cloud-config that its module does not take; the message is cloud-init's, more or less."""


def raw(encoded: str) -> bytes:
    """The bytes that EC2 was given. Raises BadUserData."""
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise BadUserData("Invalid BASE64 encoding of user data.") from error


def unpacked(data: bytes) -> bytes:
    """What is in it if it is gzip, else itself. Raises BadUserData, also for what grows without measure."""
    if data[:2] != _GZIP:
        return data
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        found = unpacker.decompress(data, LARGEST_UNPACKED + 1)
    except zlib.error as error:
        raise BadUserData(f"it begins like gzip, but is none: {error}") from error
    if len(found) > LARGEST_UNPACKED:
        raise BadUserData(f"it unpacks to more than {LARGEST_UNPACKED} bytes")
    if not unpacker.eof:
        raise BadUserData("it begins like gzip, but its end is missing")
    return found


def plan(encoded: str, instance_id: str, image_name: str) -> Plan:
    """What a machine is to do with its user data (base64; may be empty)."""
    made = _Plan()
    data = b""
    try:
        data = raw(encoded)
        for number, (name, kind, content) in enumerate(_parts(unpacked(data)), 1):
            made.take(name or f"part-{number:03d}", kind, content)
        made.take_config()
    except BadUserData as error:
        made.warn("util.py", f"Failed to read the user data: {error}")
    return {
        "instance_id": instance_id,
        "image_name": image_name,
        "user_data": base64.b64encode(data).decode(),
        "modules": made.modules,
        "warnings": made.warnings,
    }


def _parts(data: bytes) -> list[tuple[str, str, bytes]]:
    """(file name, content type, content) of each part."""
    if not data.strip():
        return []
    head = data[:4096].decode("utf-8", "replace").lower()
    if "mime-version:" not in head and not head.lstrip().startswith("content-type:"):
        return [("", _kind(data), data)]
    import email  # only where there is such user data, as YAML below: their parsers are slow to load

    found = []
    for part in email.message_from_bytes(data).walk():
        if part.get_content_maintype() == "multipart":
            continue
        payload = part.get_payload(decode=True)
        content = unpacked(payload if isinstance(payload, bytes) else b"")
        kind = part.get_content_type()
        if kind in ("text/plain", "text/x-not-multipart", "application/octet-stream", "application/x-gzip"):
            kind = _kind(content)
        found.append((_file_name(part), kind, content))
    return found


def _file_name(part: Message) -> str:
    name = str(part.get_filename() or "")
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name).lstrip(".")


def _kind(content: bytes) -> str:
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].decode("utf-8", "replace")
    return next((kind for begin, kind in _TYPES.items() if text.startswith(begin)), "")


class _Plan:
    """Being made, part by part."""

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {}
        self.warnings: list[tuple[str, str]] = []
        self.config: dict[str, Any] = {}

    def warn(self, module: str, text: str) -> None:
        self.warnings.append((module, text))

    def take(self, name: str, kind: str, content: bytes) -> None:
        if kind == "text/x-shellscript":
            self.modules.setdefault("scripts", []).append(_script(name, content))
        elif kind == "text/cloud-boothook":
            body = content.lstrip()
            if body.startswith(b"#cloud-boothook"):
                body = body.partition(b"\n")[2]
            self.modules.setdefault("boothook", []).append(_script(name, body))
        elif kind == "text/cloud-config":
            self.merge(name, content)
        elif kind in _UNSUPPORTED:
            self.warn("__init__.py", f"{name} ({kind}) was left out: {_UNSUPPORTED[kind]}")
        else:
            start = content[:24]
            shown = f"b'{start.decode('ascii', 'backslashreplace')}...'"
            self.warn("__init__.py", f"Unhandled non-multipart (text/x-not-multipart) userdata: {shown}")

    def merge(self, name: str, content: bytes) -> None:
        """A later part's key replaces an earlier one's (``dict(replace)+list()+str()``)."""
        try:
            document = _load(content)
        except _Refused as error:
            self.warn("util.py", f"Failed loading yaml blob. {error}")
            self.warn("cloud_config.py", f"Failed at merging in cloud config part from {name}: empty cloud config")
            return
        self.config.update(document)

    def take_config(self) -> None:
        """The merged cloud-config's modules."""
        config = self.config
        for key in sorted(config.keys() - _HANDLED):
            self.warn("cc_" + key.replace("-", "_") + ".py", f"Drydock's machines do not act on '{key}'")
        for key in ("package_update", "package_upgrade"):
            if config.get(key):
                self.warn("cc_package_update_upgrade_install.py", f"{key}: Drydock has no package repository")
        for module, read in (
            ("bootcmd", self._bootcmd), ("write_files", self._files), ("packages", self._packages), ("runcmd", self._runcmd)
        ):  # fmt: skip
            if config.get(module) is None:
                continue
            try:
                read(config[module])
            except _Refused as error:
                self.warn("util.py", f"Running module {module.replace('_', '-')} failed: {error}")

    def _bootcmd(self, commands: Any) -> None:
        self.modules["bootcmd"] = _encoded(_shell(commands, "bootcmd"))

    def _runcmd(self, commands: Any) -> None:
        self.modules.setdefault("scripts", []).append(_script("runcmd", _shell(commands, "runcmd")))

    def _packages(self, wanted: Any) -> None:
        if not isinstance(wanted, list):
            raise _Refused(f"packages must be a list, not {type(wanted).__name__}")
        names = []
        for one in wanted:
            name = one[0] if isinstance(one, list) and one else one
            if not isinstance(name, str) or not name or name.startswith("-"):
                raise _Refused(f"no package's name: {name!r}")
            names.append(name)
        if names:
            self.modules["packages"] = names

    def _files(self, wanted: Any) -> None:
        if not isinstance(wanted, list):
            raise _Refused(f"write_files must be a list, not {type(wanted).__name__}")
        for number, one in enumerate(wanted, 1):
            path = one.get("path") if isinstance(one, dict) else None
            if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
                self.warn("cc_write_files.py", f"No path provided to write for entry {number} in module write-files")
                continue
            module = "write_files_deferred" if one.get("defer") else "write_files"
            self.modules.setdefault(module, []).append(self._file(path, one))

    def _file(self, path: str, one: dict[str, Any]) -> dict[str, Any]:
        content = one.get("content", "")
        data = content if isinstance(content, bytes) else str(content if content is not None else "").encode()
        encoding = str(one.get("encoding", "text/plain")).lower()
        try:
            if encoding in ("b64", "base64", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"):
                data = base64.b64decode(data)
            if encoding.startswith("gz"):
                if data[:2] != _GZIP:
                    raise BadUserData("it is not gzip")
                data = unpacked(data)
        except (binascii.Error, BadUserData) as error:
            self.warn("cc_write_files.py", f"Undecodable content of {path}, encoding {encoding}: {error}")
            data = b""
        return {
            "path": path,
            "content": _encoded(data),
            "mode": self._mode(path, one.get("permissions", "0644")),
            "owner": str(one.get("owner") or ""),
            "append": bool(one.get("append")),
        }

    def _mode(self, path: str, given: Any) -> int:
        if isinstance(given, int) and 0 <= given <= 0o7777:
            return given
        try:
            return int(str(given), 8) & 0o7777
        except ValueError:
            self.warn("cc_write_files.py", f"Undecodable permissions {given!r} of {path}, returning default 0o644")
            return 0o644


def _load(content: bytes) -> dict[str, Any]:
    """A cloud-config's document. Raises _Refused."""
    import yaml

    try:
        document = yaml.safe_load(content.decode("utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise _Refused(f"Invalid format{where}: {getattr(error, 'problem', None) or error}") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise _Refused(f"Invalid format: {error}") from error
    except RecursionError as error:
        raise _Refused("It is nested too deep") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _Refused(f"Yaml load allows (dict) root types, but got {type(document).__name__} instead")
    budget = [MOST_NODES]
    return {str(key): _plain(value, budget, 0) for key, value in document.items()}


def _plain(value: Any, budget: list[int], depth: int) -> Any:
    """Only what JSON has (and bytes), each alias on its own. Raises _Refused if that becomes too much."""
    budget[0] -= 1
    if budget[0] < 0 or depth > 50:
        raise _Refused("Its aliases unfold to too much, or it is nested too deep")
    if isinstance(value, dict):
        return {str(key): _plain(inner, budget, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(inner, budget, depth + 1) for inner in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def _shell(commands: Any, module: str) -> bytes:
    """cloud-init's ``shellify``: a string is a line of shell, a list one command with its arguments. Raises _Refused."""
    if not isinstance(commands, list):
        raise _Refused(f"Input to shellify was type '{type(commands).__name__}'. Expected list or tuple.")
    lines = ["#!/bin/sh"]
    for command in commands:
        if isinstance(command, list):
            lines.append(" ".join(shlex.quote(str(word)) for word in command))
        elif isinstance(command, (str, int)) and not isinstance(command, bool):
            lines.append(str(command))
        elif command is not None:
            raise _Refused(
                f"Unable to shellify type '{type(command).__name__}'. Expected list, string, tuple. Got: {command}"
            )
    return ("\n".join(lines) + "\n").encode()


def _script(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "content": _encoded(content)}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
