"""The chapters of the page and their charts, in order.

To add a chart: write a module with a `Chart` in the folder of its chapter, and name it here.
"""

from reports.charts.benchmark.answers import answers as benchmark_answers
from reports.charts.benchmark.noise import BesideItself
from reports.charts.benchmark.power import ComparingCommits
from reports.charts.commits.answers import answers as commits_answers
from reports.charts.commits.marked import MarkedChanges
from reports.charts.commits.not_measured import NotMeasured
from reports.charts.commits.view import view
from reports.charts.conformance.answers import answers as conformance_answers
from reports.charts.conformance.cases import Cases
from reports.charts.conformance.distances import Distances
from reports.charts.conformance.matrix import matrices
from reports.charts.convergence.ablation import Ablation
from reports.charts.convergence.answers import answers as convergence_answers
from reports.charts.convergence.curves import TrainingCurves, ValidationCurves
from reports.charts.convergence.directions import Directions
from reports.charts.convergence.final_loss import FinalLoss
from reports.charts.convergence.framework_agreement import FrameworkAgreement
from reports.charts.convergence.frameworks import Frameworks
from reports.charts.convergence.learning_rates import LearningRates
from reports.charts.convergence.performance_profile import PerformanceProfile
from reports.charts.convergence.tensors import Tensors
from reports.charts.convergence.to_target import ToTarget
from reports.charts.convergence.training_loss import TrainingLoss
from reports.charts.convergence.validation_loss import ValidationLoss
from reports.charts.cost.answers import answers as cost_answers
from reports.charts.cost.framework_steps import FrameworkSteps
from reports.charts.cost.gpu import GpuRun
from reports.charts.cost.memory import Memory
from reports.charts.cost.optimizer_state import OptimizerState
from reports.charts.cost.scaling import Scaling
from reports.charts.cost.step_ratio import StepRatio
from reports.charts.cost.step_time import StepTime
from reports.charts.cost.tracked import TRACKED
from reports.charts.field.agreement import TwoImplementations
from reports.charts.field.implementations import Field
from reports.figures import Chapter

CHAPTERS = (
    Chapter(
        "convergence",
        "Convergence",
        "No comparison and no training run was found. Make one with `python -m bench compare`.",
        (
            ToTarget(),
            FinalLoss(),
            ValidationCurves(),
            TrainingCurves(),
            LearningRates(),
            Ablation(),
            PerformanceProfile(),
            Frameworks(),
            Tensors("alpha"),
            Tensors("maskFraction"),
            Directions(),
            TrainingLoss(),
            ValidationLoss(),
            FrameworkAgreement(),
        ),
        convergence_answers,
    ),
    Chapter(
        "field",
        "The field",
        "No costs of the optimizers that are compared were found. Measure them with `python -m bench costs`.",
        (Field(), TwoImplementations()),
    ),
    Chapter(
        "cost",
        "Cost",
        "No step time and no memory was found. Measure them with `python -m bench speed` or `python -m bench track`.",
        (StepRatio(), FrameworkSteps(), Scaling(), Memory(), StepTime(), OptimizerState(), *TRACKED, GpuRun()),
        cost_answers,
    ),
    Chapter(
        "commits",
        "Across commits",
        "No results of asv were found. Make them with `python -m bench track`.",
        (MarkedChanges(), NotMeasured()),
        commits_answers,
        "commits.html",
        view,
    ),
    Chapter(
        "benchmark",
        "How far to trust the benchmarks",
        "Nothing that tests them was found. Make it with `python -m bench power` and `python -m bench speed`.",
        (ComparingCommits(), BesideItself()),
        benchmark_answers,
    ),
    Chapter(
        "conformance",
        "Conformance",
        "No conformance results were found. Make them with `python -m suite run`.",
        (Distances(), Cases()),
        answers=conformance_answers,
        template="conformance.html",
        context=matrices,
    ),
)
