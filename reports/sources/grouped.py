"""Says in one sentence what is wrong in a hundred places of a file."""


class Grouped:
    """Problems of the parts of one file, in the order in which they were met."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, place: str) -> None:
        """Notes that something is wrong at a place such as "results[3]"."""
        self._places.setdefault(reason, []).append(place)

    def sentences(self) -> list[str]:
        """A sentence for each reason, with the first places and how many there are."""
        return [f"{_listed(places)}: {reason}." for reason, places in self._places.items()]


def _listed(places: list[str]) -> str:
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(places[:3]) + more
