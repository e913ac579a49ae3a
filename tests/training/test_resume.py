"""Going on with a run: with other options, from another version's checkpoint, with a full disk, beside another process."""

import dataclasses

import pytest

from vidcolor.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
from vidcolor.cli import main
from vidcolor.models.registry import load_network
from vidcolor.training import learner
from vidcolor.training.checkpoint import load_checkpoint
from vidcolor.training.processes import Processes

pytestmark = pytest.mark.usefixtures("one_thread")
ALONE = Processes(0, 1, torch.device("cpu"))


def test_options_given_at_a_resume_hold(whole, options):
    """Also those that the optimiser keeps in its own state."""
    state = load_checkpoint(whole[0] / "last.pt")
    for change in ({"encoder_rate": 0.1, "weight_decay": 0.5}, {"encoder_rate": 1.0}, {"weight_decay": 0.0}):
        changed = dataclasses.replace(options, **change)
        taught = learner.Learner(load_network("lite"), changed, ALONE)
        taught.load(state)
        taught.update(0.5, 0.9)
        of = {id(weights): group for group in taught.optimiser.param_groups for weights in group["params"]}
        for name, weights in taught.network.named_parameters():
            scale = changed.encoder_rate if name.startswith("encoder.") else 1
            assert of[id(weights)]["lr"] == 0.5 * scale, name
            assert of[id(weights)]["weight_decay"] == (changed.weight_decay if weights.ndim > 1 else 0), name


def test_a_frozen_encoder_does_not_begin_to_learn_in_the_middle_of_a_run(whole, options):
    frozen = learner.Learner(load_network("lite"), dataclasses.replace(options, encoder_rate=0.0), ALONE)
    with pytest.raises(UsageError, match="cannot go on with encoder_rate = 0: .*--start-from"):
        frozen.load(load_checkpoint(whole[0] / "last.pt"))


def test_weights_of_other_layers_are_refused(whole, options, tmp_path, capsys):
    state = load_checkpoint(whole[0] / "last.pt")
    state["ema"]["another.layer"] = torch.zeros(1)
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(ModelError, match="not those that this version.*another.layer"):
        learner.Learner(load_network("lite"), options, ALONE).load(state)
    with pytest.raises(ModelError, match="not those that this version.*another.layer"):
        learner.first_network(options, tmp_path / "last.pt")
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "last.pt"), str(tmp_path / "net.onnx")])
    assert "not those that this version" in capsys.readouterr().err and not (tmp_path / "net.onnx").exists()


def test_a_file_that_lacks_a_part_is_no_checkpoint(whole, tmp_path):
    state = load_checkpoint(whole[0] / "last.pt")
    for part in ("options", "ema", "optimiser"):
        torch.save({name: value for name, value in state.items() if name != part}, tmp_path / "last.pt")
        with pytest.raises(ModelError, match="not a checkpoint"):
            load_checkpoint(tmp_path / "last.pt")
