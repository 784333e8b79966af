"""AlphaAdam: Adam with asynchronously masked, alpha-compensated updates.

One optimizer, one room per framework, each with the interface its host framework knows:

* :class:`alphaadam.torch.AlphaAdam`, a ``torch.optim.Optimizer``;
* :class:`alphaadam.keras.AlphaAdam`, a ``keras.optimizers.Optimizer`` for Keras 3 on any backend;
* :func:`alphaadam.optax.alphaadam`, an ``optax.GradientTransformation``.

Importing this package imports no framework; importing a room imports its own framework alone.

Source: Chang, Li and Yuan (2025), "AlphaAdam: Asynchronous Masked Optimization with Dynamic Alpha for
Selective Updates", https://arxiv.org/abs/2501.18094.
"""

__version__ = "0.1.0"
