"""Going on with a run: with other options, from another version's checkpoint, with a full disk, beside another process."""

import dataclasses
import resource
import shutil
from contextlib import contextmanager

import pytest

from vidcolor.errors import ModelError, UsageError, VidcolorError

torch = pytest.importorskip("torch")
from vidcolor.cli import main
from vidcolor.models.registry import load_network
from vidcolor.training import learner, loop
from vidcolor.training.checkpoint import load_checkpoint, save_checkpoint
from vidcolor.training.processes import Processes, joined

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


def test_pictures_that_went_missing_are_told(options, photographs, tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes((photographs / f"{number}.png").read_bytes())
    fewer = dataclasses.replace(options, steps=1, samples=0, data=(str(tmp_path),))
    loop.train(fewer, tmp_path / "run", say=lambda _: None)
    (tmp_path / "1.png").unlink()
    said = []
    loop.train(dataclasses.replace(fewer, steps=2), tmp_path / "run", say=said.append)
    assert any("changed since the checkpoint: 2 → 1 training pictures" in line for line in said)
    said.clear()
    loop.train(dataclasses.replace(fewer, steps=3), tmp_path / "run", say=said.append)
    assert not any("changed" in line for line in said)


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


def test_two_runs_in_one_folder(options, tmp_path):
    refused = []

    def second(text, done, total):
        with pytest.raises(UsageError, match="another process trains there"):
            loop.train(options, tmp_path, say=lambda _: None)
        refused.append(done)

    for steps in (1, 2):  # and the first one lets go of it at its end
        first = dataclasses.replace(options, steps=steps, samples=0, steps_between_logs=1)
        loop.train(first, tmp_path, say=lambda _: None, progress=second)
    assert refused == [1, 2]


def test_a_run_that_is_further_already_stays_as_it_is(whole, options, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    with pytest.raises(UsageError, match="is at step . already"):
        loop.train(dataclasses.replace(options, steps=1), tmp_path / "run", say=lambda _: None)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


@contextmanager
def files_up_to(size):
    """As on a full disk, no file grows beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(whole, options, tmp_path):
    path = tmp_path / "last.pt"
    path.write_bytes(b"the one before")
    taught = learner.Learner(load_network("lite"), options, ALONE)
    with files_up_to(1_000_000), pytest.raises(VidcolorError, match=r"cannot save .*last.pt: .* MB free.*Make room"):
        save_checkpoint(path, {"model": "lite", "options": {}, "step": 1, **taught.state()})
    assert path.read_bytes() == b"the one before" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_told_and_is_no_fault_of_ours(photographs, tmp_path, capsys):
    places = ["--data", photographs, "--val", photographs, "--no-pretrained", "--size", 32, "--batch", 2, "--steps", 1]
    with files_up_to(100), pytest.raises(SystemExit) as leaving:
        main(["train", *map(str, [tmp_path / "run", *places, "--device", "cpu"])])
    stderr = capsys.readouterr().err
    assert leaving.value.code == 1 and f"cannot write into {tmp_path / 'run'}: File too large. Make room" in stderr


def test_a_process_that_lost_another_says_so(monkeypatch):
    """What gloo says is of torch 2.13, whose other process was killed."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    gloo = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:2209: Connection reset by peer"
    for lost in (RuntimeError(gloo), torch.distributed.DistBackendError("NCCL communicator was aborted")):
        with pytest.raises(VidcolorError, match="another process of this run has ended"), joined("cpu"):
            raise lost
    with pytest.raises(RuntimeError, match="something else"), joined("cpu"):
        raise RuntimeError("something else")
