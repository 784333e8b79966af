"""The fixed tasks stay what they are. gpt2-nano's tests are in test_gpt2_nano.py."""

import math

import numpy as np
import pytest

from bench.tasks import MODELS, TASKS, get_task, parameter_shapes
from bench.tasks.inputs import Inputs, make_inputs

# Results are compared with one another by these digests. If one is another, the task is another one: give it another
# name. Those of gpt2-small, -medium and -large depend on the files, too; here they are of small files made below.
DIGESTS = {
    "gpt2-micro": "57aee392ae1e4b6bdd45500fcebef44992bc699765b2522f73e147ef73e5c4ad",
    "gpt2-small": "7dffbeec705715ea57cf1fc156655de481f259b6e9ad5f9d05f49797fddae965",
    "gpt2-medium": "3500fabf9a52232bcef17e60750a53c8d207ea5dbbb5fc01977ad81062348f63",
    "gpt2-large": "899a6f0d644958f855883e2ae721fb473bffe367e768369c85dd60db517d5c6c",
}

# Layers, width, heads, sequences in a batch, peak learning rate, parameters: the paper's, and GPT-2's.
PAPER = {
    "gpt2-small": (12, 768, 12, 12, 6e-4, 124_439_808),
    "gpt2-medium": (24, 1024, 16, 6, 3e-4, 354_823_168),
    "gpt2-large": (36, 1280, 20, 4, 2e-4, 774_030_080),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name in ("train", "val"):
        (np.arange(200_000) * 7919 % 50257).astype("<u2").tofile(folder / f"{name}.bin")
    return folder


def test_every_task_has_a_digest_here_or_in_its_own_test():
    assert set(DIGESTS) | {"gpt2-nano"} == set(TASKS)


@pytest.mark.parametrize("name", DIGESTS)
def test_the_task_is_the_one_that_records_speak_of(name, folder):
    task = get_task(name)
    assert make_inputs(task, folder if task.data == "bin" else None).digest() == DIGESTS[name]


@pytest.mark.parametrize("name", PAPER)
def test_sizes_batches_and_rates_are_the_papers(name):
    task = get_task(name)
    model = task.model
    parameters = sum(math.prod(shape) for shape in parameter_shapes(model).values())
    rate = task.learning_rate("alphaadam")
    assert (model.layers, model.width, model.heads, task.batch_size, rate, parameters) == PAPER[name]
    assert set(task.learning_rates.values()) == {rate}
    assert (model.context, model.vocabulary) == (1024, 50257)
    assert (task.steps, task.validation_percents) == (10_000, (20, 40, 60, 100))
    assert (task.data, task.precision) == ("bin", "bfloat16")
    assert MODELS[name] == model


def test_every_size_is_validated_on_the_same_windows(folder):
    windows = [np.concatenate(make_inputs(get_task(name), folder).validation_batches()) for name in PAPER]
    assert windows[0].shape == (768, 1025)
    for other in windows[1:]:
        np.testing.assert_array_equal(other, windows[0])


def test_gpt2_micro_sees_its_text_about_once():
    task = get_task("gpt2-micro")
    read = task.steps * task.batch_size * task.model.context
    assert 0.5 < read / len(Inputs(task).data.training) < 1.5


def test_a_rate_that_was_not_tuned_is_an_error_that_says_how_to_find_it():
    said = "no learning rate of sgd was tuned on gpt2-micro; name one with --learning-rate"
    with pytest.raises(ValueError, match=said):
        get_task("gpt2-micro").learning_rate("sgd")
