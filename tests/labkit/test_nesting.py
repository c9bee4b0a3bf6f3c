"""Boxes within boxes: the picture and its text twin say the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from labkit.clusters import definition_box, task_box
from labkit.nesting import Arrow, Box, outline, svg

_SVG = "{http://www.w3.org/2000/svg}"
TASK = Box("task 1", ("RUNNING",), (Box("container a", ("exit code 0",)), Box("container <b>")))
CLUSTER = Box("cluster c", (), (TASK,))
RECIPE = Box("task definition f:1", ("256 CPU units",))
ARROWS = [Arrow("task definition f:1", "makes", "task 1")]


def test_the_outline_indents_what_is_inside() -> None:
    assert outline([CLUSTER, RECIPE], ARROWS).split("\n") == [
        "cluster c",
        "  task 1 (RUNNING)",
        "    container a (exit code 0)",
        "    container <b>",
        "task definition f:1 (256 CPU units)",
        "task definition f:1 --makes--> task 1",
    ]


def test_the_picture_is_well_formed_says_the_same_and_repeats() -> None:
    made = svg([[RECIPE], [CLUSTER]], ARROWS, "t")
    picture = ET.fromstring(made)  # noqa: S314 (ours)
    texts = {element.text for element in picture.iter(f"{_SVG}text")}
    assert {"cluster c", "task 1", "RUNNING", "container <b>", "256 CPU units", "makes"} <= texts
    assert picture.attrib["aria-label"].split() == outline([RECIPE, CLUSTER], ARROWS).split()
    assert svg([[RECIPE], [CLUSTER]], ARROWS, "t") == made


def _frames(picture: ET.Element) -> list[tuple[float, float, float, float]]:
    frames = []
    for rect in picture.iter(f"{_SVG}rect"):
        x, y, width, height = (float(rect.attrib.get(name, 0)) for name in ("x", "y", "width", "height"))
        frames.append((x, y, x + width, y + height))
    return frames


def test_inner_boxes_are_within_their_outer_one_and_siblings_do_not_touch() -> None:
    _, recipe, cluster, task, first, second = _frames(ET.fromstring(svg([[RECIPE], [CLUSTER]], ARROWS, "t")))  # noqa: S314
    for inner, outer in ((task, cluster), (first, task), (second, task)):
        assert outer[0] < inner[0] and outer[1] < inner[1] and inner[2] < outer[2] and inner[3] < outer[3]
    assert first[3] < second[1] and recipe[2] < cluster[0]


def test_what_is_across_stands_side_by_side_within_its_frame() -> None:
    first, second = Box("service a", ("6 of 6 running",), (TASK, TASK)), Box("service b", (), (TASK,))
    cluster = Box("cluster c", (), (first, second), across=True)
    frames = _frames(ET.fromstring(svg([[cluster]], [], "t")))  # noqa: S314 (ours)
    (_, outer, a), b = frames[:3], frames[3 + 2 * 3]
    assert a[1] == b[1] and a[2] < b[0] and b[2] < outer[2] and max(a[3], b[3]) < outer[3]


def test_a_task_shows_its_containers_in_the_order_of_their_definitions() -> None:
    task = {
        "taskArn": "arn:aws:ecs:r:1:task/c/0123456789abcdef",
        "lastStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "containers": [{"name": "z", "lastStatus": "RUNNING"}, {"name": "a", "lastStatus": "STOPPED", "exitCode": 0}],
    }
    box = task_box(task, ["a", "z"])
    assert (box.name, box.facts) == ("task 01234567...", ("RUNNING, HEALTHY",))
    assert [inner.name for inner in box.inside] == ["container a", "container z"]
    assert box.inside[0].facts == ("STOPPED, exit code 0",)


def test_a_definition_shows_image_and_limits() -> None:
    container = {"name": "web", "image": "public.ecr.aws/x/python:3", "memory": 128, "memoryReservation": 64}
    definition = {"family": "f", "revision": 2, "networkMode": "awsvpc", "containerDefinitions": [container]}
    box = definition_box(definition)
    assert box.name == "task definition f:2"
    assert box.inside[0].facts == ("python:3, hard 128 MiB, soft 64 MiB",)
