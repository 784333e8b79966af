"""Tests of bench.tasks.inputs."""

import dataclasses

import numpy as np
import pytest

from bench.tasks import GPT2Config, Hyperparameters, get_task
from bench.tasks.data import of_text
from bench.tasks.inputs import Inputs, make_inputs
from bench.tasks.text import bible_text

TASK = get_task("gpt2-nano")
DATA = of_text(bytes(range(256)) * 20)


@pytest.fixture(scope="module")
def inputs():
    return Inputs(TASK)


def test_the_initial_parameters_are_gpt2s(inputs):
    parameters = inputs.initial_parameters
    assert all(values.dtype == np.float32 for values in parameters.values())
    deviations = {name: values.std() for name, values in parameters.items() if values.ndim == 2}
    residual = {name for name in deviations if name.endswith("c_proj.weight")}
    assert len(residual) == 2 * TASK.model.layers
    # The smallest matrix has 16384 elements: the standard error of a deviation is at most 0.6 %, here six of them.
    for name, deviation in deviations.items():
        expected = 0.02 / np.sqrt(2 * TASK.model.layers) if name in residual else 0.02
        assert deviation == pytest.approx(expected, rel=0.035), name
    for name, values in parameters.items():
        if values.ndim == 1:
            assert (values == (1 if name.endswith("weight") else 0)).all(), name


def test_training_batches_come_from_the_training_text_and_differ(inputs):
    text = np.frombuffer(bible_text(), np.uint8)
    training_text = text[: int(0.9 * len(text))].tobytes()
    first, second = inputs.training_batch(0), inputs.training_batch(1)
    assert first.shape == (TASK.batch_size, TASK.model.context + 1)
    assert (first != second).any()
    for row in first:
        assert row.astype(np.uint8).tobytes() in training_text


def test_validation_batches_come_from_the_rest_of_the_text(inputs):
    text = np.frombuffer(bible_text(), np.uint8)
    rest = text[int(0.9 * len(text)) :].tobytes()
    batches = inputs.validation_batches()
    assert len(batches) == TASK.validation_batches
    windows = [row.astype(np.uint8).tobytes() for batch in batches for row in batch]
    assert all(window in rest for window in windows)
    assert rest.startswith(windows[0])
    assert rest.endswith(windows[-1])


def test_the_schedule_warms_up_linearly_and_ends_at_the_final_rate(inputs):
    rates = inputs.learning_rates(1.0)
    assert len(rates) == TASK.steps
    np.testing.assert_allclose(np.diff(rates[: TASK.warmup_steps]), 1 / TASK.warmup_steps, rtol=1e-4)  # float32
    assert rates.argmax() in (TASK.warmup_steps - 1, TASK.warmup_steps)
    assert rates.max() == 1.0
    assert (np.diff(rates[TASK.warmup_steps :]) < 0).all()
    assert rates[-1] == pytest.approx(TASK.final_rate, abs=1e-3)
    np.testing.assert_array_equal(inputs.learning_rates(0.5), rates / 2)


def test_every_setting_but_the_tuned_rates_changes_the_digest():
    small = dataclasses.replace(
        TASK, model=GPT2Config(layers=1, width=8, heads=2, context=16, vocabulary=256), steps=10, validation_batches=2
    )
    changes = {
        "name": "other",
        "model": dataclasses.replace(small.model, heads=4),
        "batch_size": 3,
        "steps": 11,
        "warmup_steps": 1,
        "final_rate": 0.5,
        "clip_norm": 2.0,
        "hyperparameters": Hyperparameters(epsilon=1e-7),
        "validation_batches": 3,
        "validation_percents": (50, 100),
        "seed": 1,
        "data": "bin",
        "precision": "bfloat16",
    }
    assert set(changes) == {field.name for field in dataclasses.fields(small)} - {"learning_rates"}
    digests = [Inputs(dataclasses.replace(small, **{name: value}), DATA).digest() for name, value in changes.items()]
    original = Inputs(small, DATA).digest()
    assert len({original, *digests}) == 1 + len(changes)
    assert Inputs(small, of_text(bytes(range(256)) * 20 + b"!")).digest() != original
    assert Inputs(dataclasses.replace(small, learning_rates={}), DATA).digest() == original


def test_batches_of_another_seed_are_others_and_those_of_validation_are_not():
    other = Inputs(dataclasses.replace(TASK, seed=7), DATA)
    inputs = Inputs(TASK, DATA)
    assert (other.training_batch(0) != inputs.training_batch(0)).any()
    np.testing.assert_array_equal(other.validation_batches(), inputs.validation_batches())
    name = "wte.weight"
    assert (other.initial_parameters[name] != inputs.initial_parameters[name]).any()


def test_tokens_outside_the_vocabulary_are_refused():
    task = dataclasses.replace(TASK, model=dataclasses.replace(TASK.model, vocabulary=255))
    with pytest.raises(ValueError, match="has the token 255, and gpt2-nano a vocabulary of 255"):
        Inputs(task, DATA)


def test_data_shorter_than_a_window_is_refused():
    # 1280 bytes leave 128 for validation, and a window has 129.
    with pytest.raises(ValueError, match="has 128 tokens for validation, and gpt2-nano reads windows of 129"):
        Inputs(TASK, of_text(bytes(range(256)) * 5))
    Inputs(TASK, of_text(bytes(range(129)) * 10))


def test_a_folder_for_a_task_that_reads_none_is_refused():
    with pytest.raises(ValueError, match="--data here has no meaning here: the task reads the bytes of the King James"):
        make_inputs(TASK, "here")
