"""What the reader sees for the frameworks, variants and devices of step times, and how such figures are told apart."""

from collections.abc import Iterable
from typing import NamedTuple

from reports.anchors import slug, unlike
from reports.names import in_order, look
from reports.results import Results
from reports.sources.fields import words
from reports.sources.speed import Cell, Speed

# In the order of the page.
TITLES = {
    "torch": "PyTorch",
    "optax": "Optax on JAX",
    "keras-jax": "Keras on JAX",
    "keras-tensorflow": "Keras on TensorFlow",
    "keras-torch": "Keras on PyTorch",
}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
# What is timed in turn too, where the framework's own AdamW is not the fastest there is.
FASTEST = {"keras-jax": "optax.adamw in jax.jit", "keras-torch": "torch.optim.AdamW(fused=True)"}
DTYPES = ("float32", "bfloat16", "float16", "float64")
# AlphaAdam's mask without its norms is AdamW with the mask of the paper's ablation.
OPTIMIZERS = {"alphaadam-alpha1": "adamw-am"}


def title(framework: str) -> str:
    """The framework's name for readers; of one that is not listed above, the name in the file."""
    return TITLES.get(framework, framework)


def device_title(device: str) -> str:
    """The device's name for readers."""
    return DEVICES.get(device, device)


def optimizer_of(variant: str) -> str:
    """The optimizer of a variant, under its name on the rest of the page."""
    name = variant.rpartition("-")[0] or variant
    return OPTIMIZERS.get(name, name)


def form_of(variant: str) -> str:
    """How the variant's step is run, such as "jit"; "" where the variant does not say."""
    return variant.rpartition("-")[2] if "-" in variant else ""


def variant_label(variant: str) -> str:
    """Optimizer and form for readers, such as "AlphaAdam jit"."""
    return f"{look(optimizer_of(variant)).label} {form_of(variant)}".strip()


def device_slugs(devices: Iterable[str]) -> dict[str, str]:
    """Names for an address, each unlike the others, of devices in the order of the page."""
    ordered = in_order(devices, DEVICES)
    return dict(zip(ordered, unlike(map(slug, ordered)), strict=True))


class Group(NamedTuple):
    """One file's step times on one device.

    Attributes:
        anchor: tells figures of it from those of other groups.
        name: the framework, and the file's folder where several files are of one framework and device.
        device: "cpu" or "cuda".
        machine: what the times were measured on.
        speed: the file.
        cells: the step times.
    """

    anchor: str
    name: str
    device: str
    machine: str
    speed: Speed
    cells: list[Cell]

    @property
    def title(self) -> str:
        """Framework and device."""
        return f"{self.name}, {device_title(self.device)}"


def groups(results: Results, kind: str) -> list[Group]:
    """The groups of one command's files, "speed" or "scaling", in the order of the page."""
    files = [speed for speed in results.speeds if speed.kind == kind]
    order = in_order((speed.framework for speed in files), TITLES)
    found = [
        (speed, device)
        for speed in sorted(files, key=lambda speed: order.index(speed.framework))
        for device in in_order((cell.device for cell in speed.cells), DEVICES)
    ]
    anchors = [slug(speed.framework, device) for speed, device in found]
    addresses = unlike(anchors)
    made = []
    for place, (speed, device) in enumerate(found):
        anchor, name = anchors[place], title(speed.framework)
        if anchors.count(anchor) > 1:
            number = anchors[: place + 1].count(anchor)
            folder = words(speed.path.parent.name)
            alike = [other for (other, _), key in zip(found, anchors, strict=True) if key == anchor]
            single = [words(other.path.parent.name) for other in alike].count(folder) == 1
            name = f"{name} ({folder})" if single else f"{name} ({folder}, {number})"
        cells = [cell for cell in speed.cells if cell.device == device]
        machine = "; ".join(dict.fromkeys(cell.environment.machine for cell in cells))
        made.append(Group(addresses[place], name, device, machine, speed, cells))
    return made


def shapes_in_order(cells: Iterable[Cell]) -> list[str]:
    """The shapes of some cells, those with most elements first."""
    size: dict[str, float] = {}
    for cell in cells:
        size[cell.shapes] = max(cell.parameters or 0, size.get(cell.shapes, 0))
    return sorted(size, key=lambda shapes: (-size[shapes], shapes))


def dtypes_in_order(cells: Iterable[Cell]) -> list[str]:
    """The dtypes of some cells."""
    return in_order((cell.dtype for cell in cells), DTYPES)
