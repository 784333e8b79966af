"""The optimizers that AlphaAdam is compared with, for Keras 3: those that Keras has not as published."""

from alphaadam.keras.baselines._adam_8bit import Adam8bit
from alphaadam.keras.baselines._adam_mini import AdamMini
from alphaadam.keras.baselines._adan import Adan
from alphaadam.keras.baselines._conda import Conda
from alphaadam.keras.baselines._estimators import gauss_newton_bartlett, hutchinson
from alphaadam.keras.baselines._exadam import EXAdam
from alphaadam.keras.baselines._galore import GaLore
from alphaadam.keras.baselines._ldadam import LDAdam
from alphaadam.keras.baselines._mgup import MGUP
from alphaadam.keras.baselines._microadam import MicroAdam
from alphaadam.keras.baselines._one_bit_adam import OneBitAdam
from alphaadam.keras.baselines._root import ROOT
from alphaadam.keras.baselines._sophia import Sophia

__all__ = [
    "MGUP",
    "ROOT",
    "Adam8bit",
    "AdamMini",
    "Adan",
    "Conda",
    "EXAdam",
    "GaLore",
    "LDAdam",
    "MicroAdam",
    "OneBitAdam",
    "Sophia",
    "gauss_newton_bartlett",
    "hutchinson",
]
