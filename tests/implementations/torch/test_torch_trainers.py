"""Hugging Face Trainer, Accelerate and Lightning, through their normal ways of taking an optimizer."""

import itertools
import logging

import lightning
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from alphaadam.torch import AlphaAdam, AlphaMask
from tests.implementations.torch.training import (
    VARIANTS,
    assert_identical,
    make_batch,
    make_loss,
    make_model,
    snapshot,
    train_model,
)

pytestmark = [
    # On machines with more than two cores, Lightning advises workers even for 24 rows.
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    # Lightning takes trees of tensors apart by a class that PyTorch has deprecated.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """Nothing is fetched, and Accelerate, which keeps its settings for the process, forgets those of the last test."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "level", logging.ERROR)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


# Hugging Face Trainer


def make_gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=17, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config)


class Tokens(torch.utils.data.Dataset):
    """Counting upwards modulo 17: the next token follows from the last."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        tokens = (torch.arange(8) + index) % 17
        return {"input_ids": tokens, "labels": tokens}


def make_arguments(folder, **options):
    return TrainingArguments(
        str(folder),
        **{
            "max_steps": 6,
            "per_device_train_batch_size": 8,
            "learning_rate": 0.01,
            "weight_decay": 0.1,
            "warmup_steps": 2,
            "report_to": "none",
            "use_cpu": True,
            "disable_tqdm": True,
            "save_strategy": "no",
            "logging_strategy": "no",
            **options,
        },
    )


class AlphaAdamTrainer(Trainer):
    """A trainer that makes its optimizer from its arguments, as the Trainer does with its own."""

    def create_optimizer(self, model=None):
        if self.optimizer is None:
            options = {"lr": self.args.learning_rate, "weight_decay": self.args.weight_decay}
            self.optimizer = AlphaAdam((model or self.model).parameters(), **options)
        return self.optimizer


def inner(optimizer):
    return getattr(optimizer, "optimizer", optimizer)  # Accelerate wraps it


def test_the_trainer_builds_it_from_a_class_and_its_arguments(tmp_path):
    options = {"lr": 0.01, "masking": "sync"}
    trainer = Trainer(
        make_gpt2(), make_arguments(tmp_path), train_dataset=Tokens(), optimizer_cls_and_kwargs=(AlphaAdam, options)
    )
    before = trainer.evaluate(Tokens())["eval_loss"]
    trainer.train()
    groups = inner(trainer.optimizer).param_groups
    assert isinstance(inner(trainer.optimizer), AlphaAdam)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]  # biases and norms apart, as for AdamW
    assert {group["masking"] for group in groups} == {"sync"}
    assert trainer.evaluate(Tokens())["eval_loss"] < before


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_trainer_takes_an_optimizer_and_a_scheduler_and_steps_as_a_loop_does(tmp_path, variant):
    """The rates and gradients that the steps met, given to a plain loop."""
    model, expected = make_gpt2(), make_gpt2()
    optimizer = AlphaAdam(model.parameters(), lr=0.01, **VARIANTS[variant])
    scheduler = LambdaLR(optimizer, lambda step: 0.5**step)
    met = []
    optimizer.register_step_pre_hook(
        lambda o, args, kwargs: met.append((o.param_groups[0]["lr"], [p.grad.clone() for p in model.parameters()]))
    )
    arguments = make_arguments(tmp_path, max_steps=3, gradient_accumulation_steps=2)
    Trainer(model, arguments, train_dataset=Tokens(), optimizers=(optimizer, scheduler)).train()
    assert [lr for lr, _ in met] == [0.01, 0.005, 0.0025]

    other = AlphaAdam(expected.parameters(), lr=0.01, **VARIANTS[variant])
    for lr, gradients in met:
        other.param_groups[0]["lr"] = lr
        for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
            parameter.grad = gradient
        other.step()
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("make", [AlphaAdamTrainer, None])
def test_the_trainer_resumes_from_its_own_checkpoint_bit_for_bit(tmp_path, make):
    def build(folder, **options):
        arguments = make_arguments(folder, max_steps=4, save_strategy="steps", save_steps=2, **options)
        if make is not None:
            return make(make_gpt2(), arguments, train_dataset=Tokens())
        model = make_gpt2()
        optimizer = AlphaMask(torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
        return Trainer(
            model,
            arguments,
            train_dataset=Tokens(),
            optimizers=(optimizer, LambdaLR(optimizer, lambda step: 0.9**step)),
        )

    whole, resumed = build(tmp_path / "whole"), build(tmp_path / "resumed")
    whole.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert resumed.state.global_step == 4
    assert_identical([p.detach() for p in resumed.model.parameters()], [p.detach() for p in whole.model.parameters()])
    ours, theirs = inner(resumed.optimizer).state_dict(), inner(whole.optimizer).state_dict()
    assert_identical(ours["state"], theirs["state"])
    assert ours["param_groups"] == theirs["param_groups"]


# Accelerate


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mixed_precision", ["no", "bf16"])
def test_accelerate_prepares_accumulates_saves_and_loads(tmp_path, variant, mixed_precision):
    def make():
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, mixed_precision=mixed_precision)
        model = make_model()
        optimizer = AlphaAdam(model.parameters(), lr=0.05, **VARIANTS[variant])
        scheduler = LambdaLR(optimizer, lambda step: 0.5**step)
        return accelerator, *accelerator.prepare(model, optimizer, scheduler)

    def run(accelerator, model, optimizer, scheduler, first, last):
        for number in range(first, last):
            with accelerator.accumulate(model):
                accelerator.backward(make_loss(model, number))
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()

    whole = make()
    run(*whole, 0, 4)
    whole[0].save_state(str(tmp_path))
    assert float(inner(whole[2]).state[next(whole[1].parameters())]["step"]) == 2
    run(*whole, 4, 8)

    resumed = make()
    resumed[0].load_state(str(tmp_path))
    run(*resumed, 4, 8)
    assert_identical(snapshot(inner(resumed[2])), snapshot(inner(whole[2])))
    assert resumed[2].param_groups[0]["lr"] == whole[2].param_groups[0]["lr"] < 0.05


def test_accelerate_without_accumulation_is_a_plain_loop():
    accelerator = Accelerator(cpu=True)
    model, expected = make_model(), make_model()
    optimizer = AlphaAdam(model.parameters(), lr=0.05)
    model, optimizer = accelerator.prepare(model, optimizer)
    for number in range(3):
        optimizer.zero_grad()
        accelerator.backward(make_loss(model, number))
        optimizer.step()
    other = AlphaAdam(expected.parameters(), lr=0.05)
    train_model(expected, other, 0, 3)
    assert_identical(snapshot(inner(optimizer)), snapshot(other))


# Lightning


class Classifier(lightning.LightningModule):
    """Trained by AlphaAdam under a schedule of rate and momentum, or by AlphaMask around SGD."""

    def __init__(self, options):
        super().__init__()
        self.model = make_model()
        self.options = options

    def training_step(self, batch, _):
        inputs, labels = batch
        return nn.functional.cross_entropy(self.model(inputs), labels)

    def configure_optimizers(self):
        if self.options is None:
            return AlphaMask(torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9))
        optimizer = AlphaAdam(self.parameters(), lr=0.05, **self.options)
        scheduler = OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def fit(options, epochs, folder, checkpoint=None, **trainer_options):
    module = Classifier(options)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer_options,
    )
    trainer.fit(module, DataLoader(TensorDataset(*make_batch(0, 24)), batch_size=6), ckpt_path=checkpoint)
    return trainer, module


@pytest.mark.parametrize("options", [*VARIANTS.values(), None], ids=[*VARIANTS, "AlphaMask"])
def test_lightning_trains_and_resumes_bit_for_bit(tmp_path, options):
    half, _ = fit(options, 1, tmp_path)
    half.save_checkpoint(tmp_path / "half.ckpt")
    whole, trained = fit(options, 2, tmp_path, accumulate_grad_batches=1)
    resumed, continued = fit(options, 2, tmp_path, checkpoint=tmp_path / "half.ckpt")
    assert_identical(continued.state_dict(), trained.state_dict())
    ours, theirs = resumed.optimizers[0].state_dict(), whole.optimizers[0].state_dict()
    assert_identical(ours["state"], theirs["state"])
    assert ours["param_groups"] == theirs["param_groups"]
    if options is not None:
        assert {float(state["step"]) for state in ours["state"].values()} == {8.0}
        assert ours["param_groups"][0]["betas"][0] != 0.9  # the schedule cycled the momentum


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_lightning_is_a_plain_loop(tmp_path, options):
    _, module = fit(options, 1, tmp_path)
    model = make_model()
    optimizer = AlphaAdam(model.parameters(), lr=0.05, **options)
    scheduler = OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    inputs, labels = make_batch(0, 24)
    for x, y in zip(inputs.split(6), labels.split(6), strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        scheduler.step()
    assert_identical(module.model.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    ("variant", "precision"), [*itertools.product(VARIANTS, ["32-true"]), ("default", "bf16-mixed")]
)
def test_lightning_clips_and_accumulates(tmp_path, variant, precision):
    options = {"gradient_clip_val": 0.01, "accumulate_grad_batches": 2, "precision": precision}
    trainer, _ = fit(VARIANTS[variant], 2, tmp_path, **options)
    state = trainer.optimizers[0].state
    assert {float(each["step"]) for each in state.values()} == {4.0}
    norm = torch.stack([each["exp_avg"].norm() for each in state.values()]).norm()
    assert 0 < norm <= 0.01


def test_lightning_refuses_to_clip_what_a_fused_step_unscales(tmp_path):
    """As for AdamW with ``fused=True``. The default takes the same kernels and leaves unscaling to the scaler."""
    with pytest.raises(RuntimeError, match="performs unscaling of gradients internally"):
        fit({"fused": True}, 1, tmp_path, gradient_clip_val=0.01, precision="bf16-mixed")
