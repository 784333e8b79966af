"""Estimates of the curvature are given to Sophia when they are due, and to no other optimizer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.frameworks import torch_curvature
from bench.frameworks.torch import Training
from bench.frameworks.torch_curvature import Curvature
from bench.settings import estimates_every, settings_of
from bench.tasks import Hyperparameters, get_task
from bench.tasks.execution import Execution
from tests.bench.tiny import tiny_inputs

TASK = get_task("gpt2-nano")


def test_estimates_are_due_at_the_first_step_and_every_tenth_after_it(monkeypatch):
    parameter = torch.nn.Parameter(torch.ones(2))
    given, due = [], []
    optimizer = SimpleNamespace(update_hessian=lambda found: given.append(found[parameter]))
    estimate = lambda logits, parameters, generator: {parameter: logits()}  # noqa: E731
    monkeypatch.setattr(torch_curvature, "load_baseline", lambda room, name: estimate)
    curvature = Curvature("sophia", optimizer, TASK, [parameter], lambda part: part, shared=False)
    for step in range(25):
        before = len(given)
        curvature.before_step([torch.tensor([1.0, 3.0]), torch.tensor([3.0, 5.0])])
        due += [step] * (len(given) - before)
    assert due == [0, 10, 20]
    assert all(found.tolist() == [2, 4] for found in given)  # the mean over the parts


def test_an_optimizer_that_takes_none_is_given_none():
    assert estimates_every("adamw") == 0
    Curvature("adamw", None, TASK, [], lambda part: pytest.fail("computed"), shared=True).before_step([])


def test_sophias_first_step_has_curvature_and_the_training_is_the_same_each_time():
    inputs = tiny_inputs()
    ends = []
    for _ in range(2):
        training = Training(inputs, "sophia", 1e-3)
        training.step(inputs.training_batch(0))
        state = training._optimizer.state.values()
        assert all(kept["hessian"].min() >= 0 for kept in state)
        assert sum(kept["hessian"].sum() for kept in state) > 0
        assert all(p.grad is not None for p in training.model.parameters())  # which the estimates leave alone
        ends.append(training.parameters())
    for name, values in ends[0].items():
        np.testing.assert_array_equal(values, ends[1][name])


def test_several_processes_are_refused():
    with pytest.raises(RuntimeError, match="the curvature for sophia is estimated in one process"):
        Curvature("sophia", None, TASK, [], lambda part: part, shared=True)


def test_an_optimizers_step_alone_takes_gradients_in_their_place():
    from bench.frameworks.torch_step import OptimizerStep

    step = OptimizerStep("sophia", [np.ones((2, 2), np.float32)], 1e-3, Hyperparameters(), None)
    step.take(step.gradients([np.full((2, 2), 2.0, np.float32)]))
    for _ in range(11):
        step.run()
    (kept,) = step._optimizer.state.values()
    forgets = settings_of("sophia", TASK)["beta2"]
    # Two estimates, the first and the eleventh of twelve steps.
    torch.testing.assert_close(kept["hessian"], torch.full((2, 2), 2 * (1 - forgets**2)))


def test_parts_of_a_batch_are_estimated_one_by_one():
    inputs = tiny_inputs()
    training = Training(inputs, "sophia", 1e-3, Execution(micro_batches=2))
    assert np.isfinite(training.step(inputs.training_batch(0)))
