"""Adapters for optimizers of other libraries: how near each is to the vectors, stated where it is not.

One module per framework and optimizer, ``<framework>_<optimizer>.py``, with a class for each library that has it.
"""

#: Name on the command line, that of the library -> classes, one for each optimizer, and the Keras backend it needs.
LIBRARIES: dict[str, tuple[tuple[str, ...], str | None]] = {
    "pytorch-optimizer": (
        (
            "suite.adapters.libraries.torch_exadam:PytorchOptimizer",
            "suite.adapters.libraries.torch_adan:PytorchOptimizer",
            "suite.adapters.libraries.torch_adam_mini:PytorchOptimizer",
            "suite.adapters.libraries.torch_conda:PytorchOptimizer",
            "suite.adapters.libraries.torch_galore:PytorchOptimizer",
            "suite.adapters.libraries.torch_sophia:SophiaH",
            "suite.adapters.libraries.torch_muon:PytorchOptimizer",
            "suite.adapters.libraries.torch_sgd:PytorchOptimizer",
            "suite.adapters.libraries.torch_lion:PytorchOptimizer",
        ),
        None,
    ),
    "galore-torch": (("suite.adapters.libraries.torch_galore:GaloreTorch",), None),
    "optax-contrib": (
        (
            "suite.adapters.libraries.optax_galore:GaLore",
            "suite.adapters.libraries.optax_muon:Muon",
            "suite.adapters.libraries.optax_sophia:Sophia",
        ),
        None,
    ),
    "torch-optim": (("suite.adapters.libraries.torch_sgd:SGD", "suite.adapters.libraries.torch_muon:Muon"), None),
    "keras-optimizers": (
        (
            "suite.adapters.libraries.keras_sgd_lion:SGD",
            "suite.adapters.libraries.keras_sgd_lion:Lion",
            "suite.adapters.libraries.keras_muon:Muon",
        ),
        "jax",
    ),
    "bitsandbytes": (
        (
            "suite.adapters.libraries.torch_adam_8bit:Bitsandbytes",
            "suite.adapters.libraries.torch_sgd:Bitsandbytes",
            "suite.adapters.libraries.torch_lion:Bitsandbytes",
        ),
        None,
    ),
    "adam-mini": (("suite.adapters.libraries.torch_adam_mini:AdamMini",), None),
    "optax-optimizers": (
        (
            "suite.adapters.libraries.optax_adan:Adan",
            "suite.adapters.libraries.optax_sgd_lion:SGD",
            "suite.adapters.libraries.optax_sgd_lion:Lion",
        ),
        None,
    ),
    "lion-pytorch": (("suite.adapters.libraries.torch_lion:LionPytorch",), None),
    "sophia-opt": (("suite.adapters.libraries.torch_sophia:SophiaG",), None),
}
