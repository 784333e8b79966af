"""Sophia's cases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, Tensor, vector

OPTIMIZER = "Sophia"
HEADER = [
    "Sophia as in the second version of its paper; a step's estimate of the Hessian's diagonal, where it has one, is",
    "'hessian' beside its gradients. It takes every tensor.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    for case in usual_cases("default", {"lr": 0.125}, seed=1):
        yield _with_estimates(case, every=2, seed=11)
    for case in usual_cases("hutchinson", {"lr": 0.25, "beta1": 0.5, "beta2": 0.75, "gamma": 0.5}, seed=2):
        yield _with_estimates(case, every=3, seed=12, signs=True)
    params, gradients = trajectory(3, 5)
    plain = Case("no-estimate/run", "before the first estimate every step is clipped", {"lr": 0.125}, params, gradients)
    yield plain
    late = _with_estimates(plain, every=5, seed=13, first=2)
    yield replace(
        late,
        id="late-estimate/run",
        comment="the first estimate comes with the third step, and counts in it",
        hyperparameters={"lr": 0.125, "beta2": 0.5, "gamma": 2.0},
    )
    yield replace(
        _with_estimates(plain, every=2, seed=14, signs=True),
        id="large-eps/run",
        comment="eps in the place of small and negative averages",
        hyperparameters={"lr": 0.125, "beta1": 0.75, "beta2": 0.5, "gamma": 1.0, "eps": 0.25},
    )
    some = _with_estimates(plain, every=2, seed=15)
    yield replace(
        some,
        id="some-estimates/run",
        comment="an estimate of every second tensor alone; the averages of the others stay",
        hyperparameters={"lr": 0.125, "beta2": 0.5, "gamma": 0.5},
        inputs=[
            {
                name: [x if (index + number // 2) % 2 else None for index, x in enumerate(tensors)]
                for name, tensors in step.items()
            }
            for number, step in enumerate(some.inputs or ())
        ],
    )
    yield Case(
        "zeros/run",
        "a coordinate without gradient stays, whatever its estimate",
        {"lr": 0.125, "beta2": 0.5},
        [vector(1.0, -2.0, 0.5)],
        [[vector(0.0, 0.5, 0.0)], [vector(0.0, 0.0, 0.0)], [vector(0.0, -0.25, 0.0)]],
        inputs=[{"hessian": [vector(0.0, 0.0, 2.0)]}, {}, {"hessian": [vector(1.0, 16.0, 0.0)]}],
    )
    yield from invalid_cases(positive=("gamma", "eps"), betas=("beta1", "beta2"))


def _with_estimates(case: Case, every: int, seed: int, first: int = 0, signs: bool = False) -> Case:
    """The case with an estimate in every so manieth step, large enough that about half of the steps are not clipped.

    Args:
        case: Without estimates.
        every: Steps from one estimate to the next.
        seed: Of the estimates.
        first: The step that has the first one, from 0.
        signs: Let them be negative too, as Hutchinson's may be.
    """
    shapes = [tensor.shape for tensor in case.params]
    _, drawn = trajectory(seed, len(case.gradients), shapes)
    scale = 1 / (case.hyperparameters.get("gamma", 0.05) * (1 - case.hyperparameters.get("beta2", 0.99)))

    def estimate(tensor: Tensor) -> Tensor:
        largest = 1.5 * scale * (1 - case.hyperparameters.get("beta1", 0.96))
        return Tensor(tensor.shape, tuple(round(largest * (x if signs else abs(x)), 2) for x in tensor.data))

    def inputs(number: int, tensors: Sequence[Tensor]) -> dict[str, list[Tensor]]:
        due = number >= first and (number - first) % every == 0
        return {"hessian": [estimate(tensor) for tensor in tensors]} if due else {}

    return replace(case, inputs=[inputs(number, tensors) for number, tensors in enumerate(drawn)])
