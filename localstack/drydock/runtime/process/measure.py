"""Which processes belong to which container, and what they use."""

from __future__ import annotations

from drydock.runtime.process.processes import descendants, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drydock.runtime.process.tier import Container, Exec


def measure(containers: dict[int, Container], execs: dict[int, Exec]) -> dict[int, list[tuple[int, float, int]]]:
    """Container's pid -> (memory, CPU seconds, pid) of each of its processes; one pass for all.

    ``memory`` is -1 for those that are no program: zombies, and ours above it (an init, an exec's keeper), whose memory
    is the helper's own.
    """
    processes = snapshot()
    owner = {pid: pid for pid in containers}
    owner.update({pid: execution.container.pid for pid, execution in execs.items()})
    ours = {pid for pid, container in containers.items() if container.has_init} | execs.keys()
    found: dict[int, list[tuple[int, float, int]]] = {pid: [] for pid in containers}
    for pid, top in owner.items():
        if top in found and pid in processes:
            found[top].append((-1 if pid in ours else processes[pid].memory, processes[pid].cpu, pid))
    for pid in descendants(list(owner), processes):
        process = processes[pid]
        if pid in owner:
            continue
        top = owner[pid] = owner[process.parent]
        if top in found:
            found[top].append((-1 if process.zombie else process.memory, process.cpu, pid))
    return found
