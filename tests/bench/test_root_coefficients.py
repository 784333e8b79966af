"""Tests of `python -m bench fit-root`."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

from alphaadam import _root_coefficients as package
from bench import __main__ as command_line
from bench.root_coefficients import fitting, spectra
from bench.root_coefficients.commands import shapes_of
from bench.tasks import TASKS

SHIPPED = json.loads(Path(package.__file__).with_suffix(".json").read_text())


def test_a_new_fit_has_the_shipped_numbers(tmp_path):
    output = tmp_path / "made.json"
    arguments = ["--shape", "128x128", "--seed", str(SHIPPED["seed"]), "--each", str(SHIPPED["each"])]
    assert command_line.main(["fit-root", *arguments, "--output", str(output)]) == 0
    made, shipped = json.loads(output.read_text()), SHIPPED["shapes"]["128x128"]
    assert {**made, "shapes": {}, "versions": {}} == {**SHIPPED, "shapes": {}, "versions": {}}
    # Another linear algebra library has other last bits, of singular values and of where the fit ends.
    np.testing.assert_allclose(made["shapes"]["128x128"]["coefficients"], shipped["coefficients"], atol=1e-4)
    for error in ("error", "errorWithMuons"):
        assert made["shapes"]["128x128"][error] == pytest.approx(shipped[error], abs=2e-4)


def test_the_page_has_the_shipped_numbers():
    page = (Path(__file__).parents[2] / "docs/baselines/root.md").read_text(encoding="utf-8")
    rows = [
        f"| {shape.replace('x', '×')} | {', '.join(map(str, entry['coefficients']))} | {entry['errorWithMuons']} |"
        f" {entry['error']} |"
        for shape, entry in SHIPPED["shapes"].items()
    ]
    assert [line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()] == rows


def test_the_shipped_shapes_are_those_of_the_tasks():
    shapes = ["{}x{}".format(*shape) for shape in shapes_of(TASKS)]
    assert list(SHIPPED["shapes"]) == shapes
    assert {"128x128", "128x384", "128x512", "768x768", "768x2304", "768x3072"} <= set(shapes)


@pytest.mark.parametrize("shape", SHIPPED["shapes"])
def test_the_shipped_iterations_stay_bounded_on_all_singular_values(shape):
    """Also on those a little over 1 that rounding makes."""
    after = fitting.iterate(SHIPPED["shapes"][shape]["coefficients"], np.linspace(0, 1.01, 100_001))
    assert after.min() >= 0
    assert after.max() < 1.3


@pytest.mark.parametrize(("shape", "gain"), [((128, 128), 0.95), ((128, 384), 0.75)])
def test_the_shipped_iteration_orthogonalises_other_matrices_better_than_muons(shape, gain):
    shipped = SHIPPED["shapes"]["{}x{}".format(*shape)]["coefficients"]
    errors = np.empty((len(spectra.DECAYS), 2))
    for before_and_after, decay in zip(errors, spectra.DECAYS, strict=True):
        values = spectra.sample(np.random.default_rng(99), shape, decay)
        before_and_after[:] = [
            spectra.root_mean_square_error([fitting.iterate(triple, values)]) for triple in (package.MUON, shipped)
        ]
    before, after = errors.mean(axis=0)
    assert after < gain * before
    slow, steepest = errors[:-1], errors[-1]
    assert (slow[:, 1] < 0.95 * slow[:, 0]).all()
    assert steepest[1] < 1.1 * steepest[0]


def test_a_fit_ends_at_the_same_coefficients_wherever_it_begins():
    values, _ = spectra.samples((16, 32), 0, 2)
    fits = [fitting.fit([*values, spectra.guard()], start) for start in (fitting.MUON, (3.0, -4.0, 1.7))]
    np.testing.assert_allclose(*fits, atol=1e-4)


def test_the_known_coefficients_are_the_packages():
    assert fitting.MUON == package.MUON
    assert {"{}x{}".format(*shape): triple for shape, triple in fitting.PUBLISHED.items()} == package.PUBLISHED


def test_a_shape_with_published_coefficients_has_their_error_too(monkeypatch):
    assert "errorWithPublished" not in fitting.fit_shape((4, 8), 0, 1).as_json()
    monkeypatch.setitem(fitting.PUBLISHED, (4, 8), fitting.MUON)
    entry = fitting.fit_shape((4, 8), 0, 1).as_json()
    assert entry["errorWithPublished"] == entry["errorWithMuons"] != entry["error"]


def test_iterating_singular_values_is_iterating_the_matrix():
    generator = np.random.default_rng(0)
    a, b, c = triple = (1.5, -0.75, 0.5)
    x = generator.standard_normal((4, 6))
    x /= np.linalg.norm(x)
    values = np.linalg.svd(x, compute_uv=False)
    for _ in range(package.ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    found = np.sort(np.abs(fitting.iterate(triple, values)))
    np.testing.assert_allclose(found, np.sort(np.linalg.svd(x, compute_uv=False)), rtol=1e-10, atol=1e-12)


def test_derivatives_are_those_of_the_iteration():
    values, start = np.array([0.3, 0.9]), np.array(package.MUON)
    for index in range(2):
        error = check_grad(
            lambda x, i=index: fitting.iterate(x, values)[i],
            lambda x, i=index: fitting._derivatives(x, values)[i],
            start,
        )
        assert error < 1e-4 * np.abs(fitting._derivatives(start, values)[index]).max()


def test_samples_are_those_of_the_seed_and_the_shape():
    one, again, other = (spectra.samples((8, 16), seed, 1) for seed in (0, 0, 1))
    assert all(map(np.array_equal, one[0] + one[1], again[0] + again[1]))
    assert not np.array_equal(one[0][0], other[0][0])
    assert [np.sum(values**2) for values in one[0]] == pytest.approx([1.0] * 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "128"], "--shape 128: pass two numbers such as 128x384"),
        (["--each", "0"], "--each 0: pass at least 1"),
        (["--task", "gpt2-nan"], "gpt2-nano"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, message, capsys):
    assert command_line.main(["fit-root", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_without_an_output_the_document_is_printed_alone(capsys):
    assert command_line.main(["fit-root", "--shape", "8x4", "--each", "1"]) == 0
    shown = capsys.readouterr()
    assert list(json.loads(shown.out)["shapes"]) == ["4x8"]
    assert "4x8: error" in shown.err
