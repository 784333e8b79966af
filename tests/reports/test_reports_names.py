"""The looks of the optimizers: who has which, and that everybody can tell them apart on both backgrounds."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from reports import names
from reports.names import COLOURS, OPTIMIZERS, in_order, listing, look

TEMPLATES = Path(names.__file__).parent / "templates"
TOGETHER = ["alphaadam", "adamw", "cautious-adamw", "adamw-am", "adamw-sm", "lion", "sgd"]

# Machado, Oliveira and Fernandes, 2009: what linear RGB becomes for who lacks one kind of cone.
SIGHT = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Ottosson's OKLab: in it, distances are near to how different two colours look. 0.02 is about what can just be seen.
TO_CONES = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
TO_CONES += [[0.0883024619, 0.2817188376, 0.6299787005]]
TO_LAB = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]]
TO_LAB += [[0.0259040371, 0.7827717662, -0.8086757660]]


def linear(colour):
    values = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light, dark = sorted((float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def seen(colour, sight):
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_CONES) @ np.clip(np.array(SIGHT[sight]) @ linear(colour), 0, 1))


def backgrounds():
    return re.findall(r"--paper: (#[0-9a-f]{6})", (TEMPLATES / "report.css").read_text(encoding="utf-8"))


def test_contrast_is_what_it_is_known_to_be():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_stands_out_on_every_background(colour):
    assert len(set(backgrounds())) == 2
    assert all(contrast(colour, background) >= 3 for background in backgrounds())


@pytest.mark.parametrize("sight", SIGHT)
def test_those_often_drawn_together_stay_apart(sight):
    for one, other in itertools.combinations([look(name).colour for name in TOGETHER], 2):
        assert np.linalg.norm(seen(one, sight) - seen(other, sight)) >= 0.08, (one, other)


def test_the_simulation_sees_what_is_confused():
    red, green = "#b43c00", "#8a6d1a"  # apart for most people, alike for who lacks the red cones
    assert np.linalg.norm(seen(red, "full") - seen(green, "full")) > 0.08
    assert min(np.linalg.norm(seen(red, sight) - seen(green, sight)) for sight in SIGHT) < 0.08


def test_no_two_look_alike_as_lines_or_as_points():
    for part in ("dash", "marker"):
        looks = [(item.colour, getattr(item, part)) for item in OPTIMIZERS.values()]
        assert len(set(looks)) == len(looks), part
    assert len({item.label for item in OPTIMIZERS.values()}) == len(OPTIMIZERS)


STRANGERS = [f"optimizer-{number}" for number in range(300)] + ["\ud800", "", "<b>x</b>"]


def test_one_that_is_not_listed_looks_like_none_that_is():
    known_dashes = {item.dash for item in OPTIMIZERS.values()}
    known_markers = {item.marker for item in OPTIMIZERS.values()}
    for name in STRANGERS:
        assert look(name).label == name
        assert look(name).dash not in known_dashes
        assert look(name).marker not in known_markers
        assert look(name).colour in COLOURS
    assert len({(look(name).colour, look(name).dash) for name in STRANGERS}) > 200


def test_the_look_of_one_that_is_not_listed_never_changes():
    assert look("tiger") == ("tiger", "#a878fc", (7, 2, 3, 2, 2, 2), "arrow")


def test_the_legend_can_draw_every_marker():
    shapes = set(re.findall(r'"([a-z-]+)": "M', (TEMPLATES / "macros.html").read_text(encoding="utf-8")))
    markers = {look(name).marker for name in [*OPTIMIZERS, *STRANGERS]}
    assert {marker for marker in markers if not marker.startswith("M")} <= shapes


def test_known_names_come_first_and_new_ones_after_them():
    known = ["torch", "jax", "keras"]
    assert in_order(["zeta", "jax", "alpha", "torch", "jax"], known) == ["torch", "jax", "alpha", "zeta"]


def test_words_are_joined_as_in_a_sentence():
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
