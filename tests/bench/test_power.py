"""Tests of the power experiment."""

import json
import shutil
import time

import pytest

from bench.changes import power, power_asv
from bench.changes.comparison import cases_of
from bench.changes.verdicts import FASTER, SLOWER, UNCHANGED
from bench.changes.versions import PACKAGES, ROOT

PRINTED = """
| Change   | Before [0a1b2c3d] | After [4e5f6071] |   Ratio | Benchmark (Parameter)                               |
|----------|-------------------|------------------|---------|-----------------------------------------------------|
| +        | 1.05±0.01ms       | 1.21±0.02ms      |    1.15 | timed.TimedStep.time_step('alphaadam', '1x1000000') |
| -        | 5.05±0.01ms       | 4.21±0.02ms      |    0.83 | timed.TimedStep.time_step('adamw', 'gpt2-nano')     |

SOME BENCHMARKS HAVE CHANGED SIGNIFICANTLY.
PERFORMANCE DECREASED.
"""


def test_what_is_planted_takes_a_tenth_longer_and_computes_the_same():
    class Kernels:
        CHUNK = 64

        def run(self, seconds):
            time.sleep(seconds)

    names = {"kernels": Kernels()}
    exec(power._PLANTED, names)
    begin = time.perf_counter()
    names["kernels"].run(0.2)
    assert time.perf_counter() - begin >= 0.22  # never less: both parts are waited for
    assert names["kernels"].CHUNK == 64


def test_the_plant_goes_into_this_code_and_says_when_it_would_not(tmp_path):
    package = tmp_path / "package"
    shutil.copytree(ROOT / PACKAGES, package, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    before = (package / power.SLOWED).read_text()
    power.plant(package)
    assert (package / power.SLOWED).read_text() == before + power._PLANTED
    (package / power.SLOWED).write_text("step = None\n")
    with pytest.raises(ValueError, match=r"mend bench\.changes\.power"):
        power.plant(package)


def test_what_asv_prints_is_read_case_by_case():
    words = {(case["optimizer"], case["shapes"]): case["word"] for case in power_asv._cases(PRINTED)}
    assert len(words) == len(cases_of(["torch"]))
    assert words.pop(("alphaadam", "1x1000000")) == SLOWER
    assert words.pop(("adamw", "gpt2-nano")) == FASTER
    assert set(words.values()) == {UNCHANGED}


def test_asv_times_the_steps_that_changes_times():
    from bench.changes.comparison import SHAPES
    from bench.names import OPTIMIZERS
    from bench.timed import TimedStep

    assert TimedStep.params == (OPTIMIZERS, SHAPES["torch"])


def test_the_table_counts_reports_where_there_is_nothing_and_finds_where_there_is_something(tmp_path):
    path = tmp_path / "power.json"

    def case(optimizer, word):
        return {"framework": "torch", "optimizer": optimizer, "shapes": "1x1000", "word": word}

    for kind, words in (("null", (UNCHANGED, FASTER)), ("planted", (SLOWER, UNCHANGED))):
        cases = [case("alphaadam", words[0]), case("adamw", words[1])]
        power.add(path, power.OURS, kind, "c" * 40, {}, 60.0, cases)
    power.add(path, power.OURS, "planted", "c" * 40, {}, 70.0, [case("alphaadam", FASTER)])
    # Nothing to find: both of "null", AdamW of "planted". To be found: AlphaAdam of "planted", and faster is wrong.
    rows = [line.split(" | ")[1:5] for line in power.render(power.load(path)).splitlines()[2:]]
    assert rows == [["no difference", "3", "1", "1"], ["kernel 10 % slower", "2", "1", "1"]]


def test_an_experiment_goes_on_where_it_stopped(monkeypatch, tmp_path):
    seeds = []

    def compare(base, head, cases, path, launches, seed):
        seeds.append(seed)
        path.write_text("{}")
        return {"machine": {}, "seconds": 1.0}

    monkeypatch.setattr(power, "compare", compare)
    monkeypatch.setattr(power, "findings", lambda made: [])
    path = tmp_path / "power.json"
    for comparisons in (2, 3):
        power.experiment("null", comparisons, path, tmp_path)
    assert len(seeds) == len(set(seeds)) == 3  # each comparison has chances of its own
    assert [made["kind"] for made in json.loads(path.read_text())["comparisons"]] == ["null"] * 3
