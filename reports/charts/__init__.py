"""The charts of the report, in the order of the page.

To add one: write a module with a `Chart` and name it in `CHARTS`.
"""

from reports.charts.chart import Chart, Figure, Key, Panel
from reports.charts.framework_agreement import FrameworkAgreement
from reports.charts.optimizer_state import OptimizerState
from reports.charts.step_time import StepTime
from reports.charts.training_loss import TrainingLoss
from reports.charts.validation_loss import ValidationLoss

CHARTS: tuple[Chart, ...] = (
    TrainingLoss(),
    ValidationLoss(),
    FrameworkAgreement(),
    StepTime(),
    OptimizerState(),
)

__all__ = ["CHARTS", "Chart", "Figure", "Key", "Panel"]
