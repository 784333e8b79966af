"""The optimizers that AlphaAdam is compared with, for Optax: those that Optax has not as published."""

from alphaadam.optax.baselines._adam_8bit import adam_8bit
from alphaadam.optax.baselines._adam_mini import adam_mini
from alphaadam.optax.baselines._adan import adan
from alphaadam.optax.baselines._conda import conda
from alphaadam.optax.baselines._estimators import gauss_newton_bartlett, hutchinson
from alphaadam.optax.baselines._exadam import exadam
from alphaadam.optax.baselines._galore import galore
from alphaadam.optax.baselines._ldadam import ldadam
from alphaadam.optax.baselines._mgup import mgup
from alphaadam.optax.baselines._microadam import microadam
from alphaadam.optax.baselines._one_bit_adam import one_bit_adam, one_bit_adam_specs
from alphaadam.optax.baselines._root import root
from alphaadam.optax.baselines._sophia import sophia

__all__ = [
    "adam_8bit",
    "adam_mini",
    "adan",
    "conda",
    "exadam",
    "galore",
    "gauss_newton_bartlett",
    "hutchinson",
    "ldadam",
    "mgup",
    "microadam",
    "one_bit_adam",
    "one_bit_adam_specs",
    "root",
    "sophia",
]
