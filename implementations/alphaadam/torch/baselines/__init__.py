"""The optimizers that AlphaAdam is compared with, for PyTorch: those that no maintained library has as published."""

from alphaadam.torch.baselines._adam_8bit import Adam8bit
from alphaadam.torch.baselines._adam_mini import AdamMini
from alphaadam.torch.baselines._adan import Adan
from alphaadam.torch.baselines._conda import Conda
from alphaadam.torch.baselines._estimators import gauss_newton_bartlett, hutchinson
from alphaadam.torch.baselines._exadam import EXAdam
from alphaadam.torch.baselines._galore import GaLore
from alphaadam.torch.baselines._ldadam import LDAdam
from alphaadam.torch.baselines._mgup import MGUP
from alphaadam.torch.baselines._microadam import MicroAdam
from alphaadam.torch.baselines._one_bit_adam import OneBitAdam
from alphaadam.torch.baselines._root import ROOT
from alphaadam.torch.baselines._sophia import Sophia

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
