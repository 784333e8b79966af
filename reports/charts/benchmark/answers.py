"""How far to trust the benchmarks, in words."""

from reports.charts.benchmark.noise import addresses, by_device, farthest, noise, trusted
from reports.charts.benchmark.power import percents
from reports.charts.benchmark.rates import NOTHING, Rate, rates
from reports.charts.cost.settings import device_title
from reports.figures import Answer
from reports.names import listing
from reports.results import Results


def answers(results: Results) -> list[Answer]:
    """What comparisons of commits are worth, and how far AdamW is from itself."""
    found = []
    for number, power in enumerate(results.powers, 1):
        anchor = f"comparing-commits-{number}" if len(results.powers) > 1 else "comparing-commits"
        found += [Answer(_of_method(method, rates(power)), anchor) for method in power.methods()]
    measured = noise(results)
    anchors = addresses(measured)
    for device, own in by_device(trusted(measured)).items():
        most = farthest(own)
        sentence = (
            f"AdamW timed beside itself, whose ratio should be 1, had a median between"
            f" {min(one.ratio.median for one in own):.2f} and {max(one.ratio.median for one in own):.2f} in"
            f" {len(own)} measurements on a {device_title(device)} (farthest from 1: {most.label}, {most.cell.shapes})."
        )
        found.append(Answer(sentence, anchors[device]))
    return found


def _of_method(method: str, found: list[Rate]) -> str:
    parts = []
    for rate in found:
        if rate.method == method and rate.truth == NOTHING:
            parts.append(
                f"reported a change in {rate.reported} of {rate.cases} cases where nothing differed, {percents(rate)}"
            )
        elif rate.method == method:
            parts.append(
                f"found a slowdown in {rate.reported} of {rate.cases} cases whose kernels take 10 % longer,"
                f" {percents(rate)}"
            )
    said = listing(parts) or "was tried without a result"
    return (
        f"Comparing two commits, {method} {said}. (The intervals take cases as independent; those of one comparison are"
        " not quite.)"
    )
