"""The chapters of the page and their charts, in order.

To add a chart: write a module with a `Chart` in the folder of its chapter, and name it here.
"""

from reports.charts.conformance.answers import answers as conformance_answers
from reports.charts.conformance.matrix import matrices
from reports.charts.convergence.framework_agreement import FrameworkAgreement
from reports.charts.convergence.training_loss import TrainingLoss
from reports.charts.convergence.validation_loss import ValidationLoss
from reports.charts.cost.answers import answers as cost_answers
from reports.charts.cost.optimizer_state import OptimizerState
from reports.charts.cost.step_time import StepTime
from reports.figures import Chapter

CHAPTERS = (
    Chapter(
        "convergence",
        "Convergence",
        "No comparison and no training run was found. Make one with `python -m bench compare`.",
        (TrainingLoss(), ValidationLoss(), FrameworkAgreement()),
    ),
    Chapter(
        "cost",
        "Cost",
        "No step time and no memory was found. Measure them with `python -m bench track` or `python -m bench speed`.",
        (StepTime(), OptimizerState()),
        cost_answers,
    ),
    Chapter(
        "commits",
        "Across commits",
        "No results of asv were found. Make them with `python -m bench track`.",
        (),
    ),
    Chapter(
        "conformance",
        "Conformance",
        "No conformance results were found. Make them with `python -m suite run`.",
        answers=conformance_answers,
        template="conformance.html",
        context=matrices,
    ),
)
