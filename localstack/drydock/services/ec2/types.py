"""Instance types: what a machine of each has. Pure.

Source: "Amazon EC2 instance types" (current generations that one meets in courses and small systems). What AWS has and this
table lacks is answered as AWS answers for a type that a zone does not offer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZES = {
    "medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64,
    "24xlarge": 96,
}  # fmt: skip
"""vCPUs of a size, from large upwards the same in every family"""
_FAMILIES = {
    "x86_64": {
        "m4": 4, "m5": 4, "m5a": 4, "m5d": 4, "m6a": 4, "m6i": 4, "m7a": 4, "m7i": 4, "c4": 2, "c5": 2, "c5a": 2, "c6a": 2,
        "c6i": 2, "c7a": 2, "c7i": 2, "r5": 8, "r5a": 8, "r6a": 8, "r6i": 8, "r7a": 8, "r7i": 8, "i3": 8,
    },
    "arm64": {"m6g": 4, "m7g": 4, "m8g": 4, "c6g": 2, "c7g": 2, "c8g": 2, "r6g": 8, "r7g": 8, "r8g": 8},
}  # fmt: skip
"""GiB for each vCPU"""
_BURSTABLE = {
    "nano": (2, 512), "micro": (2, 1024), "small": (2, 2048), "medium": (2, 4096), "large": (2, 8192),
    "xlarge": (4, 16384), "2xlarge": (8, 32768),
}  # fmt: skip
"""(vCPUs, MiB) of t3, t3a and t4g"""
_OLDER = {
    "t1.micro": (1, 613), "m1.small": (1, 1740), "t2.nano": (1, 512), "t2.micro": (1, 1024), "t2.small": (1, 2048),
    "t2.medium": (2, 4096), "t2.large": (2, 8192), "t2.xlarge": (4, 16384), "t2.2xlarge": (8, 32768),
}  # fmt: skip
DEFAULT = "m1.small"
"""What RunInstances takes if it is told none"""
_NAME = re.compile(r"[a-z]+\d+[a-z-]*\.(nano|micro|small|medium|large|\d*xlarge|metal(-\d+xl)?)")


@dataclass(frozen=True)
class InstanceType:
    """``memory`` is in MiB, as the type has it; the operating system sees a little less (:attr:`seen_memory`)."""

    name: str
    vcpus: int
    memory: int
    architecture: str

    @property
    def seen_memory(self) -> int:
        """MiB that Linux and so the ECS agent find: the kernel keeps 2 to 7 hundredths (a t3.medium shows 3828 of 4096,
        an m5.large 7680 of 8192) (?)"""
        return self.memory - max(self.memory // 16, 48) if self.memory >= 1024 else self.memory - 64


def _made() -> dict[str, InstanceType]:
    found = {name: InstanceType(name, *has, "x86_64") for name, has in _OLDER.items()}
    for family, architecture in (("t3", "x86_64"), ("t3a", "x86_64"), ("t4g", "arm64")):
        for size, has in _BURSTABLE.items():
            found[f"{family}.{size}"] = InstanceType(f"{family}.{size}", *has, architecture)
    for architecture, families in _FAMILIES.items():
        for family, ratio in families.items():
            for size, vcpus in _SIZES.items():
                if size == "medium" and architecture == "x86_64" and family not in ("m7a", "c7a", "r7a"):
                    continue
                name = f"{family}.{size}"
                found[name] = InstanceType(name, vcpus, vcpus * ratio * 1024, architecture)
    return found


TYPES = _made()


def looks_like_one(name: str) -> bool:
    """Whether AWS could have a type of that name."""
    return _NAME.fullmatch(name) is not None
