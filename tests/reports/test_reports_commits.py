"""The chapter "Across commits": what it says in words, lists as marked and carries for its script."""

import base64
import gzip
import json
import random

import pytest

from reports.charts.commits.answers import answers
from reports.charts.commits.embed import embedded
from reports.charts.commits.marked import MarkedChanges
from reports.charts.commits.not_measured import NotMeasured
from reports.charts.commits.view import view
from reports.results import Results
from reports.sources.problems import Problem
from tests.reports.histories import history, series

UP, DOWN = [1.0] * 30 + [1.25] * 10, [2.0] * 35 + [1.0] * 5
HOSTILE = "</script><img src=x onerror=alert(1)>"


def results(*several, **options):
    return Results(histories=(history(*several, **options),))


def said(found):
    (answer,) = answers(found)
    return answer.sentence


def test_the_answer_counts_and_names_the_largest_of_each_kind():
    sentence = said(results(series(UP, "a.Up"), series(DOWN, "b.Down", shapes="nano"), series([3.0] * 40, "c.Same")))
    assert sentence == (
        "Across 40 commits, in 3 series of benchmarks, 1 regression and 1 improvement of 5 % or more are marked, "
        "all of them in the newest 20 commits. The largest: regression +25 % (level 1 before, "
        "1.25 from there on), a.Up of AlphaAdam in PyTorch, beginning at 001effff subject 30 and improvement -50 % "
        "(level 2 before, 1 from there on), b.Down (shapes nano) of AlphaAdam in PyTorch, beginning at 0023ffff "
        "subject 35."
    )


def test_changes_of_long_ago_are_not_called_late():
    assert said(results(series([1.0] * 30 + [2.0] * 30))).endswith("is marked, none of them in the newest 20 commits.")


def test_the_answer_is_only_as_strong_as_the_data():
    assert "no change of 5 % or more is marked. In so few commits many changes are missed." in said(
        results(series([1.0] * 5))
    )
    assert said(results(series([1.0] * 50))).endswith("no change of 5 % or more is marked.")
    assert "1 commit was measured, too few to tell a change from noise" in said(results(series([1.0])))
    assert "on one commit so far" in said(results(series([1.0] * 30 + [1.5])))
    assert answers(Results()) == []


def test_marked_changes_are_listed_the_newest_first_with_commit_and_subject():
    (figure,) = MarkedChanges().draw(results(series(UP, "a.Up"), series(DOWN, "b.Down"), subjects={35: HOSTILE}))
    (table,) = figure.tables
    assert [headers[:4] for headers, _ in table.rows] == [
        ("0023ffff", "2026-06-05", HOSTILE, "b.Down"),
        ("001effff", "2026-05-31", "subject 30", "a.Up"),
    ]
    before, after, change = table.rows[1][1]
    assert (before.value, after.value, change.value, change.text) == (1.0, 1.25, 0.25, "+25 %")


def test_without_a_mark_the_figure_says_so_and_without_histories_there_is_none():
    (figure,) = MarkedChanges().draw(results(series([1.0] * 20)))
    assert (figure.tables, figure.missing) == ([], ["box: no change is marked in 20 commits."])
    assert MarkedChanges().draw(Results()) == []
    assert view(Results()) is None


def test_a_change_from_zero_has_no_percentage():
    (figure,) = MarkedChanges().draw(results(series([0.0] * 20 + [1.0] * 20)))
    assert figure.tables[0].rows[0][1][2].missing == "level before is 0"


def test_what_could_not_be_measured_is_listed_with_its_reason():
    problem = Problem("abc", "torch", "", (), HOSTILE, "2026-01-01")
    (figure,) = NotMeasured().draw(results(series([1.0]), problems=[problem]))
    assert figure.data[0].rows == [("box", "abc", "torch", "everything", "", HOSTILE, "2026-01-01")]
    assert NotMeasured().draw(results(series([1.0]))) == []


def unpacked(found):
    return json.loads(gzip.decompress(base64.b64decode(embedded(found.histories))))


def test_the_page_carries_every_value_reason_and_mark():
    found = results(series([*UP, None, None], "a.Up"), link="https://e.org/")
    (machine,) = unpacked(found)["machines"]
    (item,) = machine["series"]
    assert item["values"] == [*UP, None, None]
    assert item["missing"] == [[0, ""], [40, "failed"]]
    assert item["marks"] == [[30, 29, 1, 1.25, 10]]
    assert machine["commits"][30][2:] == ["subject 30", f"https://e.org/{found.histories[0].commits[30].name}"]


@pytest.mark.parametrize("size", [1e-300, 1e-6, 1.0, 6740176.0, 1e300])
def test_rounding_is_far_below_the_scatter(size):
    choose = random.Random(1)
    for noise in (0.0, 1e-6, 0.001, 0.05):
        values = [size * choose.gauss(1, noise) for _ in range(100)]
        (item,) = unpacked(results(series(values)))["machines"][0]["series"]
        allowed = max(noise / 5, 1e-9)
        assert all(
            kept == pytest.approx(value, rel=allowed) for kept, value in zip(item["values"], values, strict=True)
        )


def test_the_same_history_gives_the_same_bytes_and_hostile_names_stay_out_of_the_markup():
    found = results(series(UP, HOSTILE, shapes=HOSTILE), subjects={3: HOSTILE})
    text = embedded(found.histories)
    assert text == embedded(found.histories)
    assert not set(text) & set("<>&\"'")
