"""What the commands `speed` and `scaling` can measure in each framework, and what they measure unasked."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")

MODEL_SHAPES = ("gpt2-small", "gpt2-medium", "gpt2-large")
TENSORS_OF_1000 = tuple(f"{number}x1000" for number in (1, 10, 100, 1000, 10_000))
"""More and more tensors of one size: what a step costs, and what each tensor adds."""
SPLIT_1E7 = tuple(f"{number}x{10_000_000 // number}" for number in (1, 10, 100, 1000, 10_000))
"""The same number of elements in more and more tensors."""
ONE_TENSOR = tuple(f"1x{10**exponent}" for exponent in range(3, 10))
"""A larger and larger tensor: from what a step costs to what the memory carries."""
CUDA_ONLY = ONE_TENSOR[-1:]
SMALL_AND_LARGE = ("100x1000", "gpt2-nano", "gpt2-small")
"""From what a step costs by itself to what the memory carries."""


@dataclass(frozen=True)
class Form:
    """A way to run a step, the last word of a variant's name.

    Attributes:
        compiled: What compiles it, in a word or two.
        words: What it is, for --help.
        work: How long it takes per element, in no unit: a guess that serves to say how much of a run is left.
    """

    compiled: str
    words: str
    work: float = 1.0


@dataclass(frozen=True)
class Plan:
    """What one of the two commands measures in a framework where nothing else is asked for.

    Attributes:
        shapes: Names that `bench.paired.shapes_of` knows.
        dtypes: Types of the parameters, gradients and state.
        variants: Names of the framework's variants.
        seconds: How long the rounds of a cell go on.
        transient: Whether the memory of a step is measured too.
        small: Variants that are left out on `MODEL_SHAPES`, where they would take minutes and nobody runs them.
    """

    shapes: tuple[str, ...]
    dtypes: tuple[str, ...]
    variants: tuple[str, ...]
    seconds: float
    transient: bool
    small: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Framework:
    """A framework, with Keras' three backends as three, since a process has one.

    Attributes:
        name: Its name, and a part of the names of its files.
        title: Its name for readers; `backend` is what it runs on, where there is a choice.
        adamw: The AdamW that variants are measured beside.
        module: Module of ``bench/frameworks`` that measures.
        needs: Modules that must be installed.
        forms: The last words of the variants' names.
        variants: What can be measured, in the order of the tables.
        plans: What the commands measure unasked; a command that is not in it does not know the framework.
        baseline: The variant that all are measured beside; None is AdamW in the variant's own form.
        fastest: What else is timed in turn with the variants, where the framework's AdamW is not the fastest there is.
        about: What its table needs to say.
        environment: Variables that must be set before the module is imported.
    """

    name: str
    title: str
    backend: str
    adamw: str
    module: str
    needs: tuple[str, ...]
    forms: Mapping[str, Form]
    variants: tuple[str, ...]
    plans: Mapping[str, Plan]
    baseline: str | None = None
    fastest: str | None = None
    about: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def form_of(self, variant: str) -> Form:
        """The way in which a variant's step is run."""
        return self.forms[variant.rpartition("-")[2]]

    def baseline_of(self, variant: str) -> str:
        """The variant that another is measured beside."""
        return self.baseline or f"adamw-{variant.rpartition('-')[2]}"

    def missing(self) -> list[str]:
        """What is not installed of what it needs."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def _keras(backend: str, title: str, needs: tuple[str, ...], forms: Mapping[str, Form], **others: object) -> Framework:
    variants = tuple(f"{optimizer}-{form}" for form in forms for optimizer in ("alphaadam", "adamw"))
    unasked = tuple(variant for variant in variants if not variant.endswith("-compile"))
    small = tuple(variant for variant in unasked if backend == "jax" and variant.endswith("-eager"))
    return Framework(
        name=f"keras-{backend}",
        title="Keras",
        backend=title,
        adamw="keras.optimizers.AdamW",
        module="keras_speed",
        needs=("keras", *needs),
        forms=forms,
        variants=variants,
        plans={"speed": Plan(SMALL_AND_LARGE, ("float32", "bfloat16"), unasked, 5.0, True, small)},
        environment={"KERAS_BACKEND": backend},
        **others,  # type: ignore[arg-type]
    )


_TORCH_VARIANTS = (
    "alphaadam-fused",
    "alphaadam-foreach",
    "alphaadam-loop",
    "alphaadam-compile",
    "adamw-fused",
    "adamw-foreach",
    "adamw-loop",
    "adamw-compile",
)
_ALL = (
    Framework(
        name="torch",
        title="PyTorch",
        backend="",
        adamw="torch.optim.AdamW(fused=True)",
        module="torch_speed",
        needs=("torch",),
        forms={
            "fused": Form(
                "kernels",
                "fused=True: CUDA and CPU kernels, for AlphaAdam on a CPU compiled by Numba (pip install"
                ' "alphaadam[numba]")',
            ),
            "foreach": Form("no", "foreach=True: each operation over all tensors at once", 3.0),
            "loop": Form("no", "foreach=False, fused=False: tensor by tensor", 5.0),
            "compile": Form(
                "torch.compile",
                "torch.compile of the foreach step; only where it is named, since compiling takes minutes",
                10.0,
            ),
        },
        variants=_TORCH_VARIANTS,
        plans={
            "speed": Plan(
                MODEL_SHAPES,
                ("float32", "bfloat16"),
                tuple(variant for variant in _TORCH_VARIANTS if not variant.endswith("-compile")),
                5.0,
                True,
            ),
            "scaling": Plan(
                tuple(dict.fromkeys(TENSORS_OF_1000 + SPLIT_1E7 + ONE_TENSOR)),
                ("float32",),
                ("alphaadam-fused", "alphaadam-foreach", "alphaadam-loop", "adamw-fused", "adamw-foreach"),
                2.0,
                False,
            ),
        },
        baseline="adamw-fused",
    ),
    Framework(
        name="optax",
        title="Optax",
        backend="JAX",
        adamw="optax.adamw",
        module="jax_speed",
        needs=("optax", "jax"),
        forms={
            "jit": Form("jax.jit", "update and apply_updates in one jax.jit, parameters and state donated"),
            "eager": Form("no", "the same, operation by operation; unasked on small tensors only", 10.0),
        },
        variants=("alphaadam-jit", "alphaadam-alpha1-jit", "adamw-jit", "alphaadam-eager", "adamw-eager"),
        plans={
            "speed": Plan(
                SMALL_AND_LARGE,
                ("float32", "bfloat16"),
                ("alphaadam-jit", "alphaadam-alpha1-jit", "adamw-jit", "alphaadam-eager", "adamw-eager"),
                5.0,
                True,
                small=("alphaadam-eager", "adamw-eager"),
            )
        },
        about="alphaadam-alpha1 has alpha=1.0: the mask without the norms.",
    ),
    _keras(
        "jax",
        "JAX",
        ("jax",),
        {
            "jit": Form("jax.jit", "stateless_apply in jax.jit, variables donated: a compiled training step's part"),
            "eager": Form("no", "stateless_apply, operation by operation; unasked on small tensors only", 10.0),
        },
        fastest="optax.adamw in jax.jit",
    ),
    _keras(
        "tensorflow",
        "TensorFlow",
        ("tensorflow",),
        {
            "jit": Form("XLA", "apply in tf.function(jit_compile=True)", 2.0),
            "graph": Form("tf.function", "apply in tf.function(jit_compile=False)", 4.0),
            "eager": Form("no", "apply, operation by operation", 8.0),
        },
    ),
    _keras(
        "torch",
        "PyTorch",
        ("torch",),
        {
            "eager": Form("no", "apply, as the trainer calls it", 8.0),
            "compile": Form("torch.compile", "torch.compile of apply; only where it is named", 20.0),
        },
        fastest="torch.optim.AdamW(fused=True)",
    ),
)
FRAMEWORKS: Mapping[str, Framework] = {framework.name: framework for framework in _ALL}
