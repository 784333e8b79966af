"""Markdown tables from the result files of `bench.speed.cells`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.paired import MIN_ROUNDS, shapes_of
from bench.speed.cells import MOST_ROUNDS
from bench.speed.figures import bytes_per_second, is_noisy, mark, milliseconds, ratio_quartiles, table
from bench.speed.plans import DTYPES, FRAMEWORKS, Framework
from bench.speed.scaling_tables import scaling_tables
from bench.speed.xla_tables import xla_tables

MIB = 2**20
_ROUNDS = (
    "Each round gives both optimizers the same new gradients, whose signs are random (about half of the coordinates"
    " masked), and times a step of each, in turn in one process, the order changing from round to round. A ratio is"
    " the geometric mean of those of two rounds, one in either order; of the ratios stand the median and the quartiles."
    " AdamW's ratio to itself is the noise."
    f" Rounds: as many as fit the seconds asked for, {MIN_ROUNDS} to {MOST_ROUNDS}, after 5 that are not counted."
    " Handing over the gradients is not timed."
)
_METHOD = (
    f"{_ROUNDS} On CUDA, `torch.cuda.Event` times a step from an idle device with a"
    " flushed L2 cache; on a CPU small tensors stay in the caches from step to step."
)
_MOVED = (
    "GB/s: bytes that a step must move (float32: AdamW 28 per parameter, AlphaAdam's two phases 36.25), per second."
)
_COLUMNS = (
    f" {_MOVED}"
    " Transient: the most that a step allocates for its own time, by PyTorch's account, in percent of the parameters'"
    " bytes; in brackets by the growth of the process, where that is more by over 0.5 % and 1 MiB. State: bytes kept"
    " from step to step, relative to AdamW's."
)
_OTHER_METHOD = (
    f"{_ROUNDS} A step ends when its results are ready. On CUDA it begins with an idle device and a flushed L2 cache;"
    f" on a CPU small tensors stay in the caches from step to step. {_MOVED} Transient: what a step allocates for its"
    " own time, in percent of the parameters' bytes, by XLA's memory analysis on JAX where it compiles, by PyTorch's"
    " account on PyTorch; in brackets by the growth of the process, where that is more by over 0.5 % and 1 MiB. State:"
    " bytes kept from step to step, relative to AdamW's."
)


def render(contents: Sequence[Mapping[str, Any]]) -> str:
    """One text of tables from the contents of result files, those of `speed` before those of `scaling`.

    Where there is more than PyTorch, the ratios of all frameworks stand first, and what XLA made of the steps last.
    """
    groups = _groups(contents, "speed")
    parts = []
    if any(framework.name != "torch" for framework in groups):
        parts += _summary(groups)
        for framework, ours in groups.items():
            title = f"{framework.title} on {framework.backend}" if framework.backend else framework.title
            parts += [f"## {title}", *_sections(framework, ours)]
        parts += xla_tables([content for ours in groups.values() for content in ours])
    else:
        for framework, ours in groups.items():
            parts += _sections(framework, ours)
    for ours in _groups(contents, "scaling").values():
        parts += [*scaling_tables(ours, _METHOD), *_disturbed(ours), _measured_with(ours)]
    return "\n\n".join(parts) + "\n"


def _groups(contents: Sequence[Mapping[str, Any]], kind: str) -> dict[Framework, list[Mapping[str, Any]]]:
    """By framework, in one order, without what is empty."""
    groups = {}
    for framework in FRAMEWORKS.values():
        ours = [content for content in contents if (content["kind"], content["framework"]) == (kind, framework.name)]
        if any(content["cells"] for content in ours):
            groups[framework] = ours
    return groups


def _summary(groups: Mapping[Framework, Sequence[Mapping[str, Any]]]) -> list[str]:
    """AlphaAdam's ratios: a row for each framework, backend and form, a column for each shapes and dtype."""
    found: dict[tuple[str, ...], dict[tuple[str, str], Mapping[str, Any]]] = {}
    for framework, contents in groups.items():
        for name, form in framework.forms.items():
            for record in [record for content in contents for record in content["cells"]]:
                if record["variant"] == f"alphaadam-{name}":
                    row = (framework.title, framework.backend or "–", name, form.compiled, record["device"])
                    found.setdefault(row, {})[record["shapes"], record["dtype"]] = record
    settings = sorted({setting for records in found.values() for setting in records}, key=_large_first)
    rows = [[*row, *(_ratio(records.get(setting)) for setting in settings)] for row, records in found.items()]
    header = ("framework", "backend", "step", "compiled by", "device", *(" ".join(setting) for setting in settings))
    return [
        "Time of one AlphaAdam step relative to AdamW's in the same framework, on the same backend, run the same way"
        f" (1 = as fast), with quartiles in brackets. {_OTHER_METHOD}",
        table(header, rows, text_columns=5),
    ]


def _large_first(setting: tuple[str, str]) -> tuple[int, int, str]:
    shapes, dtype = setting
    return -sum(map(math.prod, shapes_of(shapes))), DTYPES.index(dtype), shapes


def _ratio(record: Mapping[str, Any] | None, to: str = "baselineSeconds") -> str:
    if record is None:
        return ""
    if "reason" in record:
        return "–"
    lower, median, upper = ratio_quartiles(record, to)
    return f"{median:.2f}{mark(record)} ({lower:.2f}–{upper:.2f})"


def _sections(framework: Framework, contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands about one framework."""
    header = ["device", "dtype", "shapes", "variant", "ratio", "quartiles", "ms", "AdamW ms"]
    header += [*(["to the fastest"] if framework.fastest else []), "GB/s", "transient", "state"]
    rows = [_row(record, framework) for content in contents for record in content["cells"]]
    title = f"Time of one step relative to `{framework.adamw}` on the same tensors (1 = as fast)."
    if framework.name == "torch":
        text = f"{title} {_METHOD}{_COLUMNS}"
    else:
        text = f"{title} {' '.join(_about(framework))}"
    return [text, table(header, rows, text_columns=4), *_disturbed(contents), _measured_with(contents)]


def _about(framework: Framework) -> list[str]:
    forms = [f"`-{name}`: {form.words}, beside AdamW in the same form." for name, form in framework.forms.items()]
    fastest = f"To the fastest: relative to `{framework.fastest}`, timed in turn too." if framework.fastest else ""
    return [part for part in (*forms, framework.about, fastest) if part]


def _row(record: Mapping[str, Any], framework: Framework) -> list[str]:
    head = [record["device"], record["dtype"], record["shapes"], record["variant"]]
    if "reason" in record:
        return [*head, f"not measured: {_escaped(record['reason'])}"]
    lower, median, upper = ratio_quartiles(record)
    fastest = [_ratio(record, "fastestSeconds") if "fastestSeconds" in record else "–"] if framework.fastest else []
    return [
        *head,
        f"{median:.2f}{mark(record)}",
        f"{lower:.2f}–{upper:.2f}",
        milliseconds(statistics.median(record["seconds"])),
        milliseconds(statistics.median(record["baselineSeconds"])),
        *fastest,
        f"{bytes_per_second(record) / 1e9:.1f}",
        _transient(record),
        f"{record['stateBytes'] / record['baselineStateBytes']:.4f}",
    ]


def _transient(record: Mapping[str, Any]) -> str:
    whole, grown = record["parameterBytes"], record.get("transientResidentBytes", 0)
    known = record.get("transientBytes")
    shown = [] if known is None else [f"{100 * known / whole:.1f} %"]
    if grown - (known or 0) > max(MIB, 0.005 * whole):
        shown.append(f"({100 * grown / whole:.1f} %)")
    return " ".join(shown) or "–"


def _disturbed(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    noisy = [record["coresBusyElsewhere"] for content in contents for record in content["cells"] if is_noisy(record)]
    if not noisy:
        return []
    return [
        f"† Not to be trusted: other processes kept up to {max(noisy):.1f} cores busy meanwhile. `--again disturbed`"
        " measures these again."
    ]


def _measured_with(contents: Sequence[Mapping[str, Any]]) -> str:
    lines = ["Measured with:", ""]
    for content in contents:
        for number, environment in enumerate(content["environments"]):
            cells = [record for record in content["cells"] if record["environment"] == number]
            versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
            dates = sorted({record["date"] for record in cells})
            which = "" if len(content["environments"]) == 1 else f" ({len(cells)} of {len(content['cells'])} cells)"
            lines.append(
                f"- {cells[0]['device']}: {environment['device']}{which}; {environment['threads']} threads on"
                f" {environment['cores']} cores, {environment['system']}; {versions}; alphaadam's source"
                f" {environment['alphaadamSource']}; {dates[0]}{f' to {dates[-1]}' if len(dates) > 1 else ''}"
            )
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
