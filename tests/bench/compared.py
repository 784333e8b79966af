"""What every optimizer that is compared is asked, in each framework: the tests of the frameworks' tables share it."""

import numpy as np

from bench.parameters import HIDDEN, RULES, taken
from bench.tasks import parameter_shapes

MATRIX_RULES = tuple(name for name, rule in RULES.items() if rule == HIDDEN)


def begin_and_step(make, given, optimizer):
    """Parameters before and after the first training step.

    Args:
        make: Makes the framework's `Training`.
        given: The task's inputs.
        optimizer: The optimizer's name.
    """
    training = make(given, optimizer, 1e-3)
    before = {name: values.copy() for name, values in training.parameters().items()}
    training.step(given.training_batch(0))
    return before, training.parameters()


def assert_takes_what_it_should(make, given, optimizer):
    """What an optimizer leaves to AdamW moves as it does under AdamW, and what it takes does not."""
    shapes = parameter_shapes(given.task.model)
    names = taken(optimizer, shapes)
    assert 0 < len(names) < len(shapes)
    before, expected = begin_and_step(make, given, "adamw")
    _, found = begin_and_step(make, given, optimizer)
    for name in shapes:
        if name.endswith("c_attn.bias"):
            continue  # the gradient of the keys' bias is rounding noise
        move, adamws = (np.float64(after[name]) - before[name] for after in (found, expected))
        distance = np.abs(move - adamws).max() / np.abs(adamws).max()
        # AdamW in two programs: roundings of parameters of about 1 that move by 1e-3. Another rule is far off.
        assert distance > 0.05 if name in names else distance < 1e-3, (name, distance)


def assert_trains(make, given, optimizer, steps=4):
    """Training goes down, and an observed step tells what it did."""
    training = make(given, optimizer, 1e-3)
    losses = [training.step(given.training_batch(0), observe=step == steps - 1) for step in range(steps)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    observation = training.observation()
    assert observation["gradientNorm"] > 0
    assert observation["updateNorm"] > 0
    masked = optimizer.startswith(("alpha", "cautious", "adamw-"))
    tensor = observation["tensors"]["h.0.mlp.c_fc.weight"]
    assert masked == (tensor["maskFraction"] is not None) == (tensor["alpha"] is not None)
    if masked:
        assert 0 < tensor["maskFraction"] <= 1
        assert tensor["alpha"] >= 1
