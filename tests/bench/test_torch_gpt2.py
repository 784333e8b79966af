"""The PyTorch model is GPT-2, and its training step is what the task says."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config as PublishedConfig
from transformers import GPT2LMHeadModel

from bench.frameworks.torch import GPT2, OptimizerStep, Training
from bench.paired import Gradients
from bench.tasks import Hyperparameters, get_task, parameter_shapes
from bench.tasks.inputs import Inputs

TASK = get_task("gpt2-nano")


@pytest.fixture(scope="module")
def inputs():
    return Inputs(TASK)


def test_its_logits_are_those_of_the_published_model(inputs):
    model = TASK.model
    published = GPT2LMHeadModel(
        PublishedConfig(
            vocab_size=model.vocabulary,
            n_positions=model.context,
            n_embd=model.width,
            n_layer=model.layers,
            n_head=model.heads,
            activation_function="gelu_new",
            layer_norm_epsilon=model.layer_norm_epsilon,
            resid_pdrop=0,
            embd_pdrop=0,
            attn_pdrop=0,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).eval()
    published.double()
    # Larger weights than the initial ones, biases among them, so that every term shows in the logits.
    generator = np.random.default_rng(1)
    parameters = {
        name: (5 * values + 0.1 * generator.standard_normal(values.shape)).astype(np.float32)
        for name, values in inputs.initial_parameters.items()
    }
    missing = published.load_state_dict(
        {f"transformer.{name}": torch.from_numpy(values) for name, values in parameters.items()}, strict=False
    )
    assert missing.missing_keys == ["lm_head.weight"]  # tied to the token embedding
    assert missing.unexpected_keys == []

    tokens = torch.from_numpy(inputs.training_batch(0)[:, :-1]).long()
    with torch.no_grad():
        ours = GPT2(model, parameters).double()(tokens)
        theirs = published(tokens).logits
    assert theirs.std() > 1
    # In float64 rounding is about 1e-16 in each of a few thousand operations, while another epsilon, GELU or
    # scale would show in the first digits.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_its_parameters_are_the_tasks(inputs):
    training = Training(inputs, "adamw", 1e-3)
    assert {name: values.shape for name, values in training.parameters().items()} == parameter_shapes(TASK.model)
    assert list(training.parameters()) == list(parameter_shapes(TASK.model))


def test_only_matrices_and_embeddings_decay(inputs):
    training = Training(inputs, "adamw", 1e-3)
    decayed, kept = training._optimizer.param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in kept["params"]} == {1}


def test_measuring_a_loss_changes_nothing(inputs):
    training = Training(inputs, "alphaadam", 1e-3)
    before = {name: values.copy() for name, values in training.parameters().items()}
    batch = inputs.validation_batches()[0]
    # A model that knows nothing is right with probability 1/256; its own random logits add a little.
    assert training.loss(batch) == training.loss(batch) == pytest.approx(np.log(256), rel=0.01)
    for name, values in training.parameters().items():
        np.testing.assert_array_equal(values, before[name])


def test_the_loss_falls_by_a_quarter_within_50_steps(inputs):
    training = Training(inputs, "alphaadam", TASK.learning_rate("alphaadam"))
    losses = [training.step(inputs.training_batch(step)) for step in range(50)]
    assert np.mean(losses[-5:]) < 0.75 * losses[0]


def test_a_step_on_gradients_leaves_them_as_they_were():
    gradients = Gradients([(64, 32), (32,)])
    values = gradients.draw()
    copies = [value.copy() for value in values]
    step = OptimizerStep("alphaadam", values, 1e-3, Hyperparameters())
    for _ in range(2):
        step.take(OptimizerStep.gradients(values))
        step.run()
    for value, copy in zip(values, copies, strict=True):
        np.testing.assert_array_equal(value, copy)
