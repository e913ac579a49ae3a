"""What a classifier sees in coloured pictures: top-1, top-5, and the Fréchet distance between its features.

Only classifiers that install from a package are offered. They need torch; everything else here does not.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidcolor.errors import ModelError, UsageError
from vidcolor.evaluation.metrics import frechet_distance
from vidcolor.evaluation.stills import TRUTH, Measured
from vidcolor.evaluation.summary import ALL, Row

CLASSIFIERS = ("efficientnet-lite0",)
BEST = 5


class Classification:
    """Collects features and the best classes of every answer, in the order the pictures come."""

    def __init__(self, name: str, classifier, labels: dict[str, int] | None) -> None:
        self.classifier, self.labels = classifier, labels
        reference = (
            "the labels given" if labels is not None else "its own answer to the truth, as no --labels were given"
        )
        self.description = f"{name}, ImageNet, 224×224; top-1 and top-5 against {reference}"
        self.features: dict[str, list[np.ndarray]] = {}
        self.best: dict[str, list[np.ndarray]] = {}

    @classmethod
    def open(cls, name: str, labels: Path | None) -> Classification:
        """Load a classifier by name.

        Raises:
            UsageError: there is no such classifier, or the labels cannot be read.
            ModelError: what it needs is not installed.
        """
        if name not in CLASSIFIERS:
            raise UsageError(f"no classifier is named '{name}'", f"there is {', '.join(CLASSIFIERS)}", "Use that one.")
        try:
            from vidcolor.models.lite.classifier import Classifier

            network = Classifier.trained()
        except ModuleNotFoundError as error:
            raise ModelError(
                f"cannot load the classifier {name}",
                f"{error.name} is not installed",
                "Try: pip install 'vidcolor[train]'",
            ) from error
        return cls(name, network, read_labels(labels) if labels else None)

    def __call__(self, answer: str, picture: np.ndarray) -> None:
        """Look at one 8-bit picture."""
        features, scores = self.classifier.look_at(picture)
        self.features.setdefault(answer, []).append(features)
        self.best.setdefault(answer, []).append(np.argsort(-scores, kind="stable")[:BEST])

    def fill(self, rows: Sequence[Row], measured: Measured) -> None:
        """Add top1, top5 and fd to the values of every row, None where they have no meaning.

        Pictures without a label do not count for the first two; a single picture has no distribution.
        """
        right = self._right(measured.names)
        for row in rows:
            row.values.update(dict.fromkeys(("top1", "top5", "fd")))
            chosen = np.ones(len(measured.names), bool) if row.over == ALL else measured.coloured()
            known = chosen & (right >= 0)
            found = np.array(self.best[row.answer])[known] == right[known, None]
            if known.any():
                row.values["top1"], row.values["top5"] = float(found[:, 0].mean()), float(found.any(1).mean())
            if chosen.sum() > 1:
                truth, other = (np.array(self.features[name])[chosen] for name in (TRUTH, row.answer))
                row.values["fd"] = max(0.0, frechet_distance(truth, other))

    def _right(self, names: Sequence[str]) -> np.ndarray:
        """The right class of every picture; −1 where none is known."""
        if self.labels is None:
            return np.array(self.best[TRUTH])[:, 0]
        return np.array([self.labels.get(name, self.labels.get(Path(name.split(":")[-1]).name, -1)) for name in names])


def read_labels(path: Path) -> dict[str, int]:
    """Picture name → ImageNet class 0…999, from a CSV of two columns; a first line of words is a heading.

    Raises:
        UsageError: it cannot be read, or a class is no number in that range.
    """
    labels = {}
    try:
        lines = list(csv.reader(path.read_text("utf-8").splitlines()))
        for index, line in enumerate(lines):
            if index == 0 and not line[1].strip().isdigit():
                continue
            labels[line[0].strip()] = int(line[1])
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(f"cannot read the labels {path}", str(error), "Give lines of: picture name,class") from error
    wrong = [value for value in labels.values() if not 0 <= value < 1000]
    if wrong or not labels:
        raise UsageError(
            f"cannot use the labels {path}",
            f"{wrong[0]} is no class 0 to 999" if wrong else "there are none in it",
            "Give ImageNet's class numbers.",
        )
    return labels
