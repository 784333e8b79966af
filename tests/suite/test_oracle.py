"""The oracle against cases computed by hand, and against properties that hold whatever the numbers are."""

from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from suite.cases.model import DEFAULTS, SETTINGS
from suite.reference.alphaadam import TensorState, step
from suite.reference.formats import FORMATS

FORMAT = FORMATS["float64"]


def run(m, g, setting, *, params=None, v=None, t=2, lr=0.5, **changes):
    state = TensorState(
        [mpf(x) for x in params or [0.0] * len(m)], [mpf(x) for x in m], [mpf(x) for x in v or [0] * len(m)]
    )
    return step(state, [mpf(x) for x in g], t, mpf(lr), {**DEFAULTS, **setting, **changes}, FORMAT)


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


def test_alpha_restores_the_length_of_the_update():
    """Half of four equal coordinates is selected: the norm asks for sqrt(2), the count for 2."""
    m, g, v = [1.0] * 4, [0.5, 0.5, -0.5, -0.5], [1.0] * 4
    _, norm = run(m, g, {"masking": "async", "alpha": "norm"}, v=v, beta1=0.0, beta2=0.5)
    assert abs(norm.alpha - mpf(2) ** 0.5) < 1e-60
    _, count = run(m, g, {"masking": "async", "alpha": "count"}, v=v)
    assert count.alpha == 2


numbers = st.floats(-10, 10).map(lambda x: round(x, 3))


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), st.sampled_from(sorted(SETTINGS)))
def test_signs_do_not_matter(pairs, setting):
    """Mirroring parameters, moments and gradients mirrors the step."""
    m, g = zip(*pairs, strict=True)
    state, result = run(m, g, SETTINGS[setting], params=m, v=[1.0] * len(m))
    mirrored, same = run([-x for x in m], [-x for x in g], SETTINGS[setting], params=[-x for x in m], v=[1.0] * len(m))
    assert (same.mask, same.alpha) == (result.mask, result.alpha)
    assert mirrored.params == [-x for x in state.params]


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_alpha_is_between_one_and_its_cap(pairs):
    m, g = zip(*pairs, strict=True)
    for rule, cap in (("norm", 2), ("count", 1000)):
        _, result = run(m, g, {"masking": "async", "alpha": rule}, v=[1.0] * len(m))
        assert 1 <= result.alpha <= cap


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_moments_do_not_depend_on_the_setting(pairs):
    m, g = zip(*pairs, strict=True)
    states = [run(m, g, setting)[0] for setting in SETTINGS.values()]
    assert all((state.m, state.v) == (states[0].m, states[0].v) for state in states)
