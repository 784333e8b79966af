"""The oracle against cases computed by hand, and against properties that hold whatever the numbers are."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from suite.cases.model import DEFAULTS, SETTINGS
from suite.reference.directions import TensorState
from suite.reference.formats import STORED
from suite.reference.optimizers import as_alphaadam
from suite.reference.rule import step

FORMAT = STORED["float64"]


def run(m, g, setting, *, optimizer="AlphaAdam", params=None, v=None, t=2, lr=0.5, **changes):
    """Take one step; return the tensor after it, and the step."""
    flat = [list(map(mpf, x)) for x in (params or [0] * len(m), m, v or [0] * len(m))]
    hyperparameters = as_alphaadam(optimizer, {**DEFAULTS[optimizer], **setting, **changes})
    taken = step(TensorState(*flat), list(map(mpf, g)), t, mpf(lr), hyperparameters, FORMAT, FORMAT)
    return taken.after, taken


def test_a_case_by_hand():
    """beta1 = beta2 = 1/2, t = 1, eps 0: m = g/2, v = g^2/2, u = sign(g); two of four coordinates agree."""
    state, result = run(
        [1.0, 1.0, -1.0, -1.0],
        [3.0, -3.0, 3.0, -3.0],
        SETTINGS["cautious"],
        params=[8.0, 8.0, 8.0, 8.0],
        v=[9.0] * 4,
        t=1,
        beta1=0.5,
        beta2=0.5,
        eps=0.0,
        weight_decay=0.25,
    )
    # m = (2, -1, 1, -2), v = 9, m_hat = (4, -2, 2, -4), v_hat = 18; all new moments have their gradient's sign.
    assert result.mask == [1, 1, 1, 1]
    assert result.alpha == 1
    u = 4 / mpf(18) ** 0.5
    assert state.params == [FORMAT.round(7 - mpf(x) * u / 2) for x in (1, -0.5, 0.5, -1)]


def test_the_async_mask_by_hand():
    _, result = run(
        [1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 1.0], [3.0, -3.0, 3.0, -3.0, 1.0, 0.0, 0.0], SETTINGS["async-mask"]
    )
    assert result.mask == [1, 0, 0, 1, 1, 1, 0]


def test_alpha_mask_around_sgd_by_hand():
    """momentum 1/2, rate 1/2, decay 1/4: the second coordinate is masked and decays all the same."""
    arguments = [2.0, 4.0], [2.0, -1.0], {"masking": "async", "alpha": "norm", "momentum": 0.5, "weight_decay": 0.25}
    state, result = run(*arguments, optimizer="AlphaMaskSGD", params=[8.0, 8.0])
    # m = (3, 1), u = m; alpha = sqrt(10) / 3
    assert (state.m, state.v, result.mask) == ([3, 1], [], [1, 0])
    assert abs(result.alpha - mpf(10) ** 0.5 / 3) < 1e-60
    assert state.params == [FORMAT.round(7 - mpf(10) ** 0.5 / 2), 7]
    _, nesterov = run(*arguments, optimizer="AlphaMaskSGD", nesterov=True)
    assert nesterov.u == [3.5, -0.5]


def test_alpha_mask_around_lion_by_hand():
    """The direction's mean has other weights than the momentum's: the second coordinate goes against its momentum."""
    betas = {"beta1": 0.5, "beta2": 0.75}
    arguments = [2.0, 2.0, 0.0, -4.0], [2.0, -4.0, 0.0, -4.0]
    state, result = run(*arguments, {"masking": "async", "alpha": "norm", **betas}, optimizer="AlphaMaskLion")
    assert (state.m, result.u, result.mask) == ([2, 0.5, 0, -4], [1, -1, 0, -1], [1, 0, 1, 1])
    assert abs(result.alpha - mpf(1.5) ** 0.5) < 1e-60
    _, sync = run(*arguments, {"masking": "sync", "alpha": "count", **betas}, optimizer="AlphaMaskLion")
    assert (sync.mask, sync.alpha) == ([1, 0, 0, 1], 2)


def test_a_rate_of_zero_leaves_no_update_to_read():
    arguments = [2.0, 4.0], [2.0, -1.0], {"masking": "async", "alpha": "norm"}
    state, result = run(*arguments, optimizer="AlphaMaskSGD", params=[8.0, 8.0], lr=0.0)
    assert (state.params, result.u, result.alpha) == ([8, 8], [0, 0], 1)
    assert state.m == [FORMAT.round(mpf(0.9) * 2 + 2), FORMAT.round(mpf(0.9) * 4 - 1)]


def test_alpha_restores_the_length_of_the_update():
    """Half of four equal coordinates is selected: the norm asks for sqrt(2), the count for 2."""
    m, g, v = [1.0] * 4, [0.5, 0.5, -0.5, -0.5], [1.0] * 4
    _, norm = run(m, g, {"masking": "async", "alpha": "norm"}, v=v, beta1=0.0, beta2=0.5)
    assert abs(norm.alpha - mpf(2) ** 0.5) < 1e-60
    _, count = run(m, g, {"masking": "async", "alpha": "count"}, v=v)
    assert count.alpha == 2


numbers = st.floats(-10, 10).map(lambda x: round(x, 3))


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), st.sampled_from(sorted(SETTINGS)))
def test_signs_do_not_matter(pairs, setting):
    """Mirroring parameters, moments and gradients mirrors the step."""
    m, g = zip(*pairs, strict=True)
    state, result = run(m, g, SETTINGS[setting], params=m, v=[1.0] * len(m))
    mirrored, same = run([-x for x in m], [-x for x in g], SETTINGS[setting], params=[-x for x in m], v=[1.0] * len(m))
    assert (same.mask, same.alpha) == (result.mask, result.alpha)
    assert mirrored.params == [-x for x in state.params]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_alpha_is_between_one_and_its_cap(pairs):
    m, g = zip(*pairs, strict=True)
    for rule, cap in (("norm", 2), ("count", 1000)):
        _, result = run(m, g, {"masking": "async", "alpha": rule}, v=[1.0] * len(m))
        assert 1 <= result.alpha <= cap


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_moments_do_not_depend_on_the_setting(pairs):
    m, g = zip(*pairs, strict=True)
    states = [run(m, g, setting)[0] for setting in SETTINGS.values()]
    assert all((state.m, state.v) == (states[0].m, states[0].v) for state in states)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), st.integers(-8, 8))
def test_without_eps_the_update_does_not_depend_on_the_scale_of_the_gradients(pairs, exponent):
    m, g = zip(*pairs, strict=True)
    scale = 2.0**exponent
    _, small = run(m, g, SETTINGS["alphaadam"], v=[1.0] * len(m), eps=0.0)
    scaled = [scale * x for x in m], [scale * x for x in g]
    _, large = run(*scaled, SETTINGS["alphaadam"], v=[scale**2] * len(m), eps=0.0)
    assert large.u == small.u
    assert large.alpha == small.alpha


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_elements_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    results = [
        run(*zip(*some, strict=True), SETTINGS["alphaadam"], v=[1.0] * len(some))[1] for some in (pairs, shuffled)
    ]
    assert abs(results[0].alpha - results[1].alpha) < mpf(2) ** -240  # the oracle's sums have 256 bits


def test_splitting_a_tensor_changes_alpha_and_stacking_equal_ones_does_not():
    m, g, v = [1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 0.5, -0.5], [1.0] * 4
    whole = run(m, g, SETTINGS["alphaadam"], v=v)[1].alpha
    parts = [run(m[s], g[s], SETTINGS["alphaadam"], v=v[s])[1].alpha for s in (slice(0, 2), slice(2, 4))]
    assert parts[0] == 1
    assert parts[1] > whole > 1
    twice = run(m * 2, g * 2, SETTINGS["alphaadam"], v=v * 2)[1].alpha
    assert abs(twice - whole) < mpf(2) ** -240


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_cautious_adamw_and_adamw_are_settings_of_alphaadam(pairs):
    m, g = zip(*pairs, strict=True)
    for optimizer, setting in (("AdamW", "adamw"), ("CautiousAdamW", "cautious")):
        other = as_alphaadam(optimizer, {**DEFAULTS[optimizer], "lr": 0.5})
        state = TensorState([mpf(0)] * len(m), list(map(mpf, m)), [mpf(1)] * len(m))
        taken = step(state, list(map(mpf, g)), 2, mpf(0.5), other, FORMAT, FORMAT)
        assert taken.after == run(m, g, SETTINGS[setting], v=[1.0] * len(m))[0]


def test_the_two_places_of_eps_differ_by_the_bias_correction():
    """Before it, eps is as large as one after it that is divided by sqrt(1 - beta2^t)."""
    given = {**DEFAULTS["AdamW"], "eps": 0.125, "beta2": 0.75}
    results = []
    for placement, eps in (("before-bias-correction", 0.125), ("after-bias-correction", 0.125 / 0.5)):
        hyperparameters = as_alphaadam("AdamW", {**given, "eps_placement": placement, "eps": eps})
        state = TensorState([mpf(1)], [mpf(0)], [mpf(0)])
        results.append(step(state, [mpf(0.5)], 1, mpf(1), hyperparameters, FORMAT, FORMAT).u)
    assert results[0] == results[1]
