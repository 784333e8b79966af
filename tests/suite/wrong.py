"""The NumPy example with one mistake each, of the kind that people really make: what the vectors must catch.

``python -m tests.suite.wrong`` prints which tests catch which.
"""

import ml_dtypes
import numpy as np

from suite.check import all_tests, check
from suite.examples.numpy_alphaadam import NumpyAlphaAdam
from suite.examples.numpy_alphamask import NumpyAlphaMask, NumpyAlphaMaskLion, NumpyAlphaMaskSGD
from suite.load import load_all


class MaskFromTheNewMoment(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        if self.h["masking"] == "async":
            return (old_m == 0) | (np.sign(m) * np.sign(g) > 0)
        return super().mask(old_m, m, g)


class MaskFromAProduct(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        if self.h["masking"] == "none":
            return super().mask(old_m, m, g)
        deciding = m if self.h["masking"] == "sync" else old_m
        return (deciding * g > 0) | ((old_m == 0) & (self.h["masking"] == "async"))


class NoHistoryMasksEverything(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        if self.h["masking"] == "async":
            return np.sign(old_m) * np.sign(g) > 0
        return super().mask(old_m, m, g)


class SignTestNotStrict(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        if self.h["masking"] == "none":
            return super().mask(old_m, m, g)
        return np.sign(m if self.h["masking"] == "sync" else old_m) * np.sign(g) >= 0


class SignBitOfZero(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        if self.h["masking"] == "none":
            return super().mask(old_m, m, g)
        if self.h["masking"] == "sync":
            return np.signbit(m) == np.signbit(g)
        return np.signbit(old_m) == np.signbit(g)


class MaskSelects(NumpyAlphaAdam):
    """Selecting by the mask, where a NaN should have been multiplied by 0."""

    def update_moments(self, index, gradient):
        mask, u = super().update_moments(index, gradient)
        return mask, np.where(mask | (self.h["alpha"] == "norm"), u, 0)


class EpsInsideTheRoot(NumpyAlphaAdam):
    def direction(self, m, v, t):
        h = self.h
        return (m / (1 - h["beta1"] ** t) / np.sqrt(v / (1 - h["beta2"] ** t) + h["eps"])).astype(m.dtype)


class EpsBeforeBiasCorrection(NumpyAlphaAdam):
    def direction(self, m, v, t):
        h = self.h
        root = (np.sqrt(v) + h["eps"]) / np.sqrt(1 - h["beta2"] ** t)
        return (m / (1 - h["beta1"] ** t) / root).astype(m.dtype)


class BiasCorrectionOffByOne(NumpyAlphaAdam):
    def direction(self, m, v, t):
        return super().direction(m, v, t + 1)


class NoBiasCorrection(NumpyAlphaAdam):
    def direction(self, m, v, t):
        return (m / (np.sqrt(v) + m.dtype.type(self.h["eps"]))).astype(m.dtype)


class BiasCorrectionByAFloat32Power(NumpyAlphaAdam):
    def direction(self, m, v, t):
        one, b1, b2 = np.float32(1), np.float32(self.h["beta1"]), np.float32(self.h["beta2"])
        number = m.dtype.type
        corrections = number(one - b1 ** np.float32(t)), number(one - b2 ** np.float32(t))
        return (m / corrections[0]) / (np.sqrt(v / corrections[1]) + number(self.h["eps"]))


class OneCounterForAll(NumpyAlphaAdam):
    def step(self, gradients, lr):
        absent = [index for index, g in enumerate(gradients) if g is None]
        seen = super().step(gradients, lr)
        for index in absent:
            self.steps[index] += 1
        return seen

    def add(self, params):
        super().add(params)
        self.steps[-len(params) :] = [self.steps[0]] * len(params)


class DecayMasked(NumpyAlphaAdam):
    def decay(self, theta, mask, lr):
        return theta * (1 - lr * self.h["weight_decay"] * mask).astype(theta.dtype)


class DecayCoupled(NumpyAlphaAdam):
    def update_moments(self, index, gradient):
        sign = -1 if self.h["maximize"] else 1
        decay = sign * self.h["weight_decay"] * self.wide(self.params[index])
        return super().update_moments(index, (self.wide(gradient) + decay).astype(self.wide(gradient).dtype))

    def decay(self, theta, mask, lr):
        return theta


class DecayWithoutTheRate(NumpyAlphaAdam):
    def decay(self, theta, mask, lr):
        return theta * theta.dtype.type(1 - self.h["lr"] * self.h["weight_decay"])


class DecayMaximized(NumpyAlphaAdam):
    def decay(self, theta, mask, lr):
        return super().decay(theta, mask, -lr if self.h["maximize"] else lr)


class AlphaOverAllTensors(NumpyAlphaAdam):
    def alphas(self, masks, updates):
        mask = np.concatenate([masks[index].ravel() for index in updates])
        alpha = self.alpha(mask, np.concatenate([u.ravel() for u in updates.values()]))
        return dict.fromkeys(updates, alpha)


class AlphaWithoutItsCap(NumpyAlphaAdam):
    def alpha(self, mask, u):
        self.h, h = {**self.h, "alpha_max": 1e300}, self.h
        alpha = super().alpha(mask, u)
        self.h = h
        return alpha


class AlphaFromTheUncorrectedUpdate(NumpyAlphaAdam):
    def alphas(self, masks, updates):
        uncorrected = {
            index: self.wide(self.m[index]) / (np.sqrt(self.wide(self.v[index])) + self.h["eps"]) for index in updates
        }
        return super().alphas(masks, uncorrected)


class AlphaFromAnEmptyMaskIsOne(NumpyAlphaAdam):
    def alpha(self, mask, u):
        if isinstance(self.h["alpha"], str) and not mask.any():
            return 1.0
        return super().alpha(mask, u)


class AlphaIgnoresNan(NumpyAlphaAdam):
    def alpha(self, mask, u):
        return super().alpha(mask, np.nan_to_num(u))


class MomentsKeptInBfloat16(NumpyAlphaAdam):
    def moments(self, m, v, g):
        return tuple(x.astype(ml_dtypes.bfloat16).astype(x.dtype) for x in super().moments(m, v, g))


class HalfPrecisionArithmetic(NumpyAlphaAdam):
    @staticmethod
    def wide(array):
        return array


class MomentsSwappedInACheckpoint(NumpyAlphaAdam):
    def load(self, dtype, params, m, v, step):
        super().load(dtype, params, v, m, step)


class MaximizeAfterTheMask(NumpyAlphaAdam):
    def mask(self, old_m, m, g):
        return super().mask(old_m, m, -g if self.h["maximize"] else g)


class StateForgottenByACheckpoint(NumpyAlphaAdam):
    def load(self, dtype, params, m, v, step):
        super().load(dtype, params, m, v, 0)


class MaskedDecayAroundSgd(DecayMasked, NumpyAlphaMaskSGD):
    """The decay masked."""


class MaskFromTheNewMomentumAroundSgd(MaskFromTheNewMoment, NumpyAlphaMaskSGD):
    """The mask read after the inner step."""


class MaskFromTheNewMomentumAroundLion(MaskFromTheNewMoment, NumpyAlphaMaskLion):
    """The mask read after the inner step."""


class AlphaOverAllTensorsAroundSgd(AlphaOverAllTensors, NumpyAlphaMaskSGD):
    """One alpha for the whole model."""


class EmptyMaskGivesOneAroundLion(AlphaFromAnEmptyMaskIsOne, NumpyAlphaMaskLion):
    """No alpha where nothing is selected."""


class NoHistoryMasksEverythingAroundSgd(NoHistoryMasksEverything, NumpyAlphaMaskSGD):
    """The first step, without a momentum, masked."""


class SelectingByTheMaskAroundSgd(NumpyAlphaMaskSGD):
    """The old parameter taken back where the mask is 0: a NaN there is lost."""

    def update_moments(self, index, gradient):
        mask, u = super().update_moments(index, gradient)
        return mask, np.where(mask | (self.h["alpha"] == "norm"), u, 0)


class UpdateNotDividedByTheRate(NumpyAlphaMaskSGD):
    """The move itself as u: the rate counts twice. Alpha does not show it."""

    def read(self, theta, moved):
        return theta - moved


class UpdateDividedByTheBaseRate(NumpyAlphaMaskSGD):
    """The rate from the constructor, whatever the schedule says."""

    def read(self, theta, moved):
        return (theta - moved) / theta.dtype.type(self.h["lr"])


class UpdateOfTheWrongSign(NumpyAlphaMaskSGD):
    def read(self, theta, moved):
        return -super().read(theta, moved)


class InnerOptimizerDecays(NumpyAlphaMask):
    """The inner optimizer left with its own decay, decoupled: it is masked, scaled by alpha, and part of it."""

    def moved(self, theta, u):
        return super().moved(theta, u + theta.dtype.type(self.h["weight_decay"]) * theta)

    def decay(self, theta, mask, lr):
        return theta


class InnerOptimizerDecaysAroundSgd(InnerOptimizerDecays, NumpyAlphaMaskSGD):
    pass


class InnerOptimizerDecaysAroundLion(InnerOptimizerDecays, NumpyAlphaMaskLion):
    pass


class InnerDecayCoupled(NumpyAlphaMaskSGD):
    """The inner optimizer left with SGD's L2 penalty, which enters the momentum."""

    def update_moments(self, index, gradient):
        sign = -1 if self.h["maximize"] else 1
        return super().update_moments(index, gradient + sign * self.h["weight_decay"] * self.params[index])

    def decay(self, theta, mask, lr):
        return theta


class DecayedTwice(NumpyAlphaMaskSGD):
    """The inner optimizer left with its decay, and ours on top."""

    def moved(self, theta, u):
        return super().moved(theta, u + theta.dtype.type(self.h["weight_decay"]) * theta)


class AlphaFromTheMomentum(NumpyAlphaMask):
    """The length of the momentum instead of that of the update."""

    def alphas(self, masks, updates):
        return super().alphas(masks, {index: self.m[index] for index in updates})


class AlphaFromTheMomentumAroundSgd(AlphaFromTheMomentum, NumpyAlphaMaskSGD):
    pass


class AlphaFromTheMomentumAroundLion(AlphaFromTheMomentum, NumpyAlphaMaskLion):
    pass


class MaskIgnoresMaximize(NumpyAlphaMaskSGD):
    """The gradient as it came, beside a momentum of negated ones."""

    def mask(self, old_m, m, g):
        return super().mask(old_m, m, -g if self.h["maximize"] else g)


class MomentumDampened(NumpyAlphaMaskSGD):
    def inner(self, m, g):
        return super().inner(m, (1 - self.h["momentum"]) * g)


class NesterovIgnored(NumpyAlphaMaskSGD):
    def inner(self, m, g):
        m = super().inner(m, g)[0]
        return m, m


class LionsBetasSwapped(NumpyAlphaMaskLion):
    def inner(self, m, g):
        b2, b1 = self.h["beta1"], self.h["beta2"]
        return b2 * m + (1 - b2) * g, np.sign(b1 * m + (1 - b1) * g)


class LionsDirectionFromTheNewMomentum(NumpyAlphaMaskLion):
    def inner(self, m, g):
        m = super().inner(m, g)[0]
        return m, np.sign(m)


class AbsentGradientsAreZeros(NumpyAlphaMaskSGD):
    def step(self, gradients, lr):
        zeros = [np.zeros_like(p) if g is None else g for p, g in zip(self.params, gradients, strict=True)]
        return super().step(zeros, lr)


class DividedByARateOfZero(NumpyAlphaMaskSGD):
    def read(self, theta, moved):
        return (theta - moved) / theta.dtype.type(self.lr)


#: Mistake -> a test that must catch it, in this dtype and this quantity.
WRONG: dict[type[NumpyAlphaAdam], tuple[str, str, str]] = {
    MaskFromTheNewMoment: ("alphaadam/new-moment-turns", "float32", "mask"),
    MaskFromAProduct: ("cautious/product-underflows", "float32", "mask"),
    NoHistoryMasksEverything: ("alphaadam/first-step", "float32", "mask"),
    SignTestNotStrict: ("cautious/new-moment-is-zero", "float32", "mask"),
    SignBitOfZero: ("async-mask/negative-zeros", "float32", "mask"),
    MaskSelects: ("async-mask/nan-gradient", "float32", "params"),
    EpsInsideTheRoot: ("adamw/large-eps", "float32", "params"),
    EpsBeforeBiasCorrection: ("adamw/small-gradients-at-first-step", "float32", "params"),
    BiasCorrectionOffByOne: ("adamw/first-step", "float32", "params"),
    NoBiasCorrection: ("adamw/first-step", "float32", "params"),
    BiasCorrectionByAFloat32Power: ("adamw/small-gradients-at-first-step", "float32", "params"),
    OneCounterForAll: ("adamw/late-parameter", "float32", "params"),
    DecayMasked: ("async-mask/large-weight-decay", "float32", "params"),
    DecayCoupled: ("adamw/large-weight-decay", "float32", "m"),
    DecayWithoutTheRate: ("adamw/warmup-cosine", "float32", "params"),
    DecayMaximized: ("adamw/maximize", "float32", "params"),
    AlphaOverAllTensors: ("alphaadam/fifth-step", "float32", "alpha"),
    AlphaWithoutItsCap: ("alpha/norm-at-its-cap", "float32", "alpha"),
    AlphaFromTheUncorrectedUpdate: ("alphaadam/large-eps", "float32", "alpha"),
    AlphaFromAnEmptyMaskIsOne: ("cautious/none-agrees", "float32", "alpha"),
    AlphaIgnoresNan: ("alphaadam/nan-gradient", "float32", "alpha"),
    MomentsKeptInBfloat16: ("adamw/fifth-step", "float32", "m"),
    HalfPrecisionArithmetic: ("adamw/all-gradients-zero-without-history", "float16", "params"),
    MomentsSwappedInACheckpoint: ("adamw/fifth-step", "float32", "m"),
    MaximizeAfterTheMask: ("alphaadam/maximize", "float32", "mask"),
    StateForgottenByACheckpoint: ("adamw/fifth-step", "float32", "params"),
    MaskedDecayAroundSgd: ("async-mask/large-weight-decay", "float32", "params"),
    MaskFromTheNewMomentumAroundSgd: ("async-norm/new-momentum-turns", "float32", "mask"),
    MaskFromTheNewMomentumAroundLion: ("async-norm/new-momentum-turns", "float32", "mask"),
    AlphaOverAllTensorsAroundSgd: ("async-norm/fifth-step", "float32", "alpha"),
    EmptyMaskGivesOneAroundLion: ("sync-count/none-agrees", "float32", "alpha"),
    NoHistoryMasksEverythingAroundSgd: ("async-norm/first-step", "float32", "mask"),
    SelectingByTheMaskAroundSgd: ("async-mask/nan-gradient", "float32", "params"),
    UpdateNotDividedByTheRate: ("plain/fifth-step", "float32", "params"),
    UpdateDividedByTheBaseRate: ("plain/warmup-cosine", "float32", "params"),
    UpdateOfTheWrongSign: ("plain/fifth-step", "float32", "params"),
    InnerOptimizerDecaysAroundSgd: ("async-norm/large-weight-decay", "float32", "alpha"),
    InnerOptimizerDecaysAroundLion: ("async-mask/large-weight-decay", "float32", "params"),
    InnerDecayCoupled: ("plain/large-weight-decay", "float32", "m"),
    DecayedTwice: ("plain/large-weight-decay", "float32", "params"),
    AlphaFromTheMomentumAroundSgd: ("async-norm/nesterov", "float32", "alpha"),
    AlphaFromTheMomentumAroundLion: ("async-norm/fifth-step", "float32", "alpha"),
    MaskIgnoresMaximize: ("async-norm/maximize", "float32", "mask"),
    MomentumDampened: ("plain/fifth-step", "float32", "m"),
    NesterovIgnored: ("plain/nesterov", "float32", "params"),
    LionsBetasSwapped: ("plain/fifth-step", "float32", "m"),
    LionsDirectionFromTheNewMomentum: ("plain/direction-and-momentum-disagree", "float32", "params"),
    AbsentGradientsAreZeros: ("plain/absent-gradients-and-a-late-parameter", "float32", "m"),
    DividedByARateOfZero: ("plain/lr-zero", "float32", "params"),
}


def described(mistake: type) -> str:
    """The class's name as words."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in mistake.__name__).strip()


def main() -> None:
    """Print a table: each mistake, and the tests that catch it in float32 and otherwise."""
    tests = list(all_tests(load_all()))
    for mistake in WRONG:
        outcomes = [check(mistake(), test) for test in tests if test.optimizer == mistake.optimizer]
        caught = [f"{o.id} ({o.dtype})" for o in outcomes if o.outcome == "fail"]
        more = f" and {len(caught) - 3} more" if len(caught) > 3 else ""
        print(f"{described(mistake)}: {', '.join(caught[:3])}{more}")


if __name__ == "__main__":
    main()
