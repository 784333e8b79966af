"""Tests of bench.speed.tables."""

import json
from pathlib import Path

import pytest

from bench.speed.figures import ratio_quartiles
from bench.speed.plans import FRAMEWORKS
from bench.speed.scaling_tables import fitted_line
from bench.speed.tables import render

ENVIRONMENT = {
    "versions": {"alphaadam": "0.1.0", "torch": "2.13.0"},
    "alphaadamSource": "0123456789ab",
    "device": "Some CPU",
    "system": "Linux x86_64",
    "cores": 4,
    "threads": 2,
}


def record(variant="alphaadam-fused", shapes="gpt2-small", seconds=0.1, ratio=1.25, **others):
    parameters = 10_000_000
    return {
        "device": "cpu",
        "dtype": "float32",
        "shapes": shapes,
        "variant": variant,
        "date": "2026-01-01",
        "environment": 0,
        "parameters": parameters,
        "tensors": 1,
        "parameterBytes": 4 * parameters,
        "minimalBytes": 40 * parameters,
        "stateBytes": 8 * parameters,
        "baselineStateBytes": 8 * parameters,
        "transientBytes": 4 * parameters // 32,
        "seconds": [seconds] * 6,
        "baselineSeconds": [seconds / ratio] * 6,
        **others,
    }


def failed(variant, shapes="gpt2-small", reason="no numba | no kernels"):
    cell = record(variant, shapes)
    return {key: cell[key] for key in ("device", "dtype", "shapes", "variant", "date", "environment")} | {
        "reason": reason
    }


def content(*records, kind="speed", framework="torch", environments=(ENVIRONMENT,)):
    return {"kind": kind, "framework": framework, "environments": list(environments), "cells": list(records)}


def rows(text):
    """The cells of every row of a table."""
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in text.splitlines() if line.startswith("|")]


def test_a_row_holds_ratio_spread_times_bytes_and_memory():
    header, rule, row = rows(render([content(record())]))
    assert dict(zip(header, row, strict=True)) == {
        "device": "cpu",
        "dtype": "float32",
        "shapes": "gpt2-small",
        "variant": "alphaadam-fused",
        "ratio": "1.25",
        "quartiles": "1.25–1.25",
        "ms": "100",
        "AdamW ms": "80",
        "GB/s": "4.0",
        "transient": "3.1 %",
        "state": "1.0000",
    }
    assert [cell.endswith(":") for cell in rule] == [False] * 4 + [True] * 7


def test_the_spread_is_that_of_pairs_of_rounds():
    lower, median, upper = ratio_quartiles(
        {"seconds": [2.0, 1.0, 4.0, 2.0, 6.0, 3.0], "baselineSeconds": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]}
    )
    assert (lower, median, upper) == pytest.approx((1.5, 2.0, 2.5))


def test_a_reason_stands_in_its_row_and_breaks_no_table():
    text = render([content(record(), failed("alphaadam-loop"))])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "| not measured: no numba \\| no kernels |" in lines[-1]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_memory_that_pytorch_does_not_know_of_is_shown_where_there_is_some():
    own = record()["parameterBytes"]
    shown = [
        rows(render([content(record(transientResidentBytes=size))]))[-1][-2]
        for size in (0, own // 32, own // 32 + 2**20, own // 2)
    ]
    assert shown == ["3.1 %", "3.1 %", "3.1 %", "3.1 % (50.0 %)"]


def test_what_it_was_measured_with_stands_below():
    text = render([content(record())])
    assert (
        "- cpu: Some CPU; 2 threads on 4 cores, Linux x86_64; alphaadam 0.1.0, torch 2.13.0; alphaadam's source"
        " 0123456789ab; 2026-01-01\n"
    ) in text


def test_cells_that_were_measured_with_something_else_are_counted():
    newer = {**ENVIRONMENT, "threads": 8}
    cells = [record(), record("alphaadam-loop", environment=1, date="2026-02-02"), record("adamw-loop", environment=1)]
    text = render([content(*cells, environments=(ENVIRONMENT, newer))])
    assert "Some CPU (1 of 3 cells); 2 threads" in text
    assert "Some CPU (2 of 3 cells); 8 threads" in text
    assert "2026-01-01 to 2026-02-02" in text


def test_figures_that_other_processes_disturbed_are_marked_on_a_cpu():
    quiet, busy = record(coresBusyElsewhere=0.1), record("alphaadam-loop", coresBusyElsewhere=1.4)
    text = render([content(quiet, busy)])
    assert [row[4] for row in rows(text)[2:]] == ["1.25", "1.25†"]
    assert "† Not to be trusted: other processes kept up to 1.4 cores busy meanwhile." in text
    assert "†" not in render([content(quiet, {**busy, "device": "cuda"})])
    scaled = [{**cell, "coresBusyElsewhere": 1.4} for cell in scaling()]
    assert "0.023 (1.50†)" in render([content(*scaled, kind="scaling")])


def test_a_line_is_found_and_the_small_points_count_as_much_as_the_large():
    exact = [(n, 50e-6 + 3e-6 * n) for n in (1, 10, 100, 1000, 10_000)]
    assert fitted_line(exact) == pytest.approx((50e-6, 3e-6, 0), abs=1e-12)
    noisy = [*exact[:-1], (10_000, 1.1 * exact[-1][1])]
    intercept, slope, deviation = fitted_line(noisy)
    assert intercept == pytest.approx(50e-6, rel=0.1)
    assert slope == pytest.approx(3e-6, rel=0.1)
    assert 0.02 < deviation < 0.1


def scaling():
    cells = []
    for variant, ratio in (("alphaadam-fused", 1.5), ("adamw-fused", 1.0)):
        for shapes in FRAMEWORKS["torch"].plans["scaling"].shapes:
            tensors, size = map(int, shapes.split("x"))
            seconds = 20e-6 + tensors * (2e-6 + size * 1e-9)
            of_cell = {"tensors": tensors, "parameters": tensors * size, "minimalBytes": 40 * tensors * size}
            cells.append(record(variant, shapes, seconds, ratio, **of_cell))
    return cells


def test_scaling_tells_overhead_and_bandwidth_apart():
    text = render([content(*scaling(), failed("alphaadam-loop", "1x1000"), kind="scaling")])
    header, _, *summary = rows(text)[:4]
    assert dict(zip(header, summary[0], strict=True)) == {
        "device": "cpu",
        "dtype": "float32",
        "variant": "alphaadam-fused",
        "µs per step": "20.0",
        "µs per tensor": "3.00",
        "largest deviation": "0 %",
        "largest tensor": "1,000,000,000",
        "GB/s": "40.0",
        "ratio": "1.50",
    }
    assert summary[1][2] == "adamw-fused"
    assert ["1 × 1,000", "0.023 (1.50)", "0.023 (1.00)", "–"] in rows(text)
    assert ["10,000 × 1,000", "30 (1.50)", "30 (1.00)", ""] in rows(text)
    assert "- alphaadam-loop (cpu, float32): no numba | no kernels [1x1000]" in text


def test_a_part_of_scaling_can_be_shown_too():
    text = render([content(*scaling()[:2], kind="scaling")])
    assert rows(text)[2][3:6] == ["", "", ""]  # two points are no line
    assert "One tensor" in text
    assert "alphaadam-fused" in render([content(failed("alphaadam-fused", "1x1000"), kind="scaling")])


def test_files_of_both_commands_and_devices_make_one_text():
    text = render([content(*scaling(), kind="scaling"), content(record()), content(record(device="cuda"))])
    assert text.index("cuda") < text.index("Launch overhead")
    assert text.count("Measured with:") == 2


def test_without_cells_there_is_nothing():
    assert render([content()]) == "\n"


def jit(variant="alphaadam-jit", shapes="gpt2-small", **others):
    """A record as JAX's are."""
    xla = {"kernels": 592, "fusions": 590, "copies": 2, "bytesAccessed": 560_000_000}
    return record(variant, shapes, **{"xla": xla, **others})


def test_the_ratios_of_all_frameworks_stand_first_by_framework_backend_and_jit():
    text = render(
        [
            content(jit(ratio=1.5), jit(dtype="bfloat16"), jit("alphaadam-alpha1-jit"), framework="optax"),
            content(
                jit(ratio=2.0, coresBusyElsewhere=1.0),
                jit("adamw-jit"),
                record("alphaadam-eager", "100x1000"),
                failed("alphaadam-graph"),
                framework="keras-tensorflow",
            ),
            content(record()),
        ]
    )
    assert rows(text)[: 2 + 5] == [
        [
            *("framework", "backend", "step", "compiled by", "device"),
            *("gpt2-small float32", "gpt2-small bfloat16", "100x1000 float32"),
        ],
        rows(text)[1],
        ["PyTorch", "–", "fused", "kernels", "cpu", "1.25 (1.25–1.25)", "", ""],
        ["Optax", "JAX", "jit", "jax.jit", "cpu", "1.50 (1.50–1.50)", "1.25 (1.25–1.25)", ""],
        ["Keras", "TensorFlow", "jit", "XLA", "cpu", "2.00† (2.00–2.00)", "", ""],
        ["Keras", "TensorFlow", "graph", "tf.function", "cpu", "–", "", ""],
        ["Keras", "TensorFlow", "eager", "no", "cpu", "", "", "1.25 (1.25–1.25)"],
    ]
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## PyTorch", "## Optax on JAX", "## Keras on TensorFlow", "## What XLA makes of the step"]
    assert text.count("Measured with:") == 3


def test_the_ratio_to_the_fastest_adamw_has_a_column_where_it_is_another_one():
    both = jit(ratio=2.0, fastestSeconds=[0.02] * 6)
    text = render([content(both, record("alphaadam-eager", "1x10"), framework="keras-jax")])
    header, _, first, second = rows(text)[4:8]
    assert header[8] == "to the fastest"
    assert (first[4], first[8], second[8]) == ("2.00", "5.00 (5.00–5.00)", "–")
    assert "relative to `optax.adamw in jax.jit`" in text
    assert "to the fastest" not in render([content(jit(), framework="optax")])


def test_what_xla_made_of_the_steps_is_a_table():
    tensorflow = {"kernels": 3, "fusions": 3, "copies": 1}
    text = render(
        [
            content(jit(tensors=148), record("alphaadam-eager", "1x10"), framework="optax"),
            content(without(jit(xla=tensorflow), "transientBytes"), framework="keras-tensorflow"),
        ]
    )
    header, _, *found = rows(text)[-4:]
    assert [dict(zip(header, row, strict=True)) for row in found] == [
        {
            "framework": framework,
            "device": "cpu",
            "dtype": "float32",
            "shapes": "gpt2-small",
            "variant": "alphaadam-jit",
            "tensors": tensors,
            "kernels": kernels,
            "copies": copies,
            "bytes": accessed,
            "least": "40.0",
            "temporary": temporary,
        }
        for framework, tensors, kernels, copies, accessed, temporary in (
            ("optax", "148", "592", "2", "56.0", "3.1 %"),
            ("keras-tensorflow", "1", "3", "1", "–", "–"),
        )
    ]
    assert "XLA makes" not in render([content(record("alphaadam-eager"), framework="keras-torch")])


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


def test_memory_that_only_the_system_tells_stands_in_brackets_and_none_is_a_dash():
    own = record()["parameterBytes"]
    graph = without(record("alphaadam-graph"), "transientBytes")
    shown = [
        rows(render([content({**graph, **grown}, framework="keras-tensorflow")]))[-1][-2]
        for grown in ({}, {"transientResidentBytes": 2**19}, {"transientResidentBytes": own // 2})
    ]
    assert shown == ["–", "–", "(50.0 %)"]


@pytest.mark.parametrize(("page", "names"), [("pytorch-speed.md", "torch-*"), ("speed.md", "[ok]*-speed-*")])
def test_a_page_of_the_documentation_is_what_the_result_files_say(page, names):
    """There is no page without results, nor the other way round.

    `python -m bench speed --table bench/results/torch-*.json > docs/pytorch-speed.md` prints the one anew,
    `python -m bench speed --table bench/results/{optax,keras}-*.json > docs/speed.md` the other.
    """
    root = Path(__file__).parents[2]
    files = sorted((root / "bench/results").glob(f"{names}.json"))
    text = render([json.loads(path.read_text(encoding="utf-8")) for path in files])
    path = root / "docs" / page
    assert (path.read_text(encoding="utf-8") if path.exists() else "\n") == text
