"""A run from start to end, in pieces, by several processes, and with accidents. Networks and pictures are small."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from vidcolor.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
from vidcolor.cli import main
from vidcolor.models.registry import load_network
from vidcolor.training import learner, loop
from vidcolor.training.batches import Batches
from vidcolor.training.checkpoint import load_checkpoint, save_checkpoint
from vidcolor.training.data import load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.losses import find_loss
from vidcolor.training.options import make_options, read_toml
from vidcolor.training.processes import Processes
from vidcolor.training.store import PictureStore

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
ALONE = Processes(0, 1, CPU)


def rows(run, name="log.csv"):
    with (run / name).open() as file:
        return list(csv.DictReader(file))


def losses(run):
    return [(row["step"], row["loss"], row["running_loss"], row["rate"]) for row in rows(run)]


def test_a_run_leaves_curves_samples_options_and_a_checkpoint(whole, options):
    run, said = whole
    assert [row["step"] for row in rows(run)] == [str(i) for i in range(1, options.steps + 1)]
    assert [row["step"] for row in rows(run, "validation.csv")] == ["4", "6"]
    assert all(np.isfinite(float(v)) for row in rows(run, "validation.csv") for v in row.values())
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["00000004.png", "00000006.png"]
    sheet = cv2.imread(str(run / "samples" / "00000004.png"))
    assert sheet.shape[0] > 2 * 32 and sheet.shape[1] > 6 * 32
    assert cv2.imread(str(run / "curves.png")).std() > 10
    assert make_options(read_toml(run / "options.toml")) == options
    state = load_checkpoint(run / "last.pt", "lite")
    assert state["step"] == options.steps and state["options"] == dataclasses.asdict(options)
    assert any("10 pictures" in line for line in said)
    assert "warning: 10 of the validation pictures are trained on too: figures on those say nothing" in said


def interrupt_after(step):
    def progress(text, done, total):
        if done == step:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


def test_a_run_in_two_pieces_has_the_same_losses_and_weights(whole, options, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        loop.train(options, tmp_path, say=lambda _: None, progress=interrupt_after(2))
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 3  # the step under way was finished
    said = []
    loop.train(options, tmp_path, say=said.append)
    assert "resumed at step 3 of 6" in said
    assert losses(tmp_path) == losses(whole[0])
    first, second = (load_checkpoint(run / "last.pt") for run in (whole[0], tmp_path))
    for kind in ("network", "ema"):
        for name, tensor in first[kind].items():
            assert torch.equal(tensor, second[kind][name]), name
    figures = [{k: v for k, v in row.items()} for row in rows(tmp_path, "validation.csv")]
    assert figures == rows(whole[0], "validation.csv")


def test_rows_after_the_checkpoint_are_made_again(whole, options, tmp_path):
    """Power was lost after step 5, and the checkpoint is of step 3."""
    with pytest.raises(KeyboardInterrupt):
        loop.train(options, tmp_path, say=lambda _: None, progress=interrupt_after(2))
    with (tmp_path / "log.csv").open("a") as file:
        file.write("4,9,9,9,9\n5,9,9")
    loop.train(options, tmp_path, say=lambda _: None)
    assert losses(tmp_path) == losses(whole[0])


def test_another_seed_gives_other_losses(whole, options, tmp_path):
    loop.train(dataclasses.replace(options, steps=2, seed=1), tmp_path, say=lambda _: None)
    assert all(a != b for a, b in zip(losses(tmp_path), losses(whole[0]), strict=False))


def test_the_network_learns(options, tmp_path):
    longer = dataclasses.replace(options, steps=60, degrade=False, loss="l1", steps_between_validations=60, samples=0)
    loop.train(longer, tmp_path, say=lambda _: None)
    curve = [float(row["loss"]) for row in rows(tmp_path)]
    assert np.mean(curve[-6:]) < 0.9 * np.mean(curve[:3])


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(options, tmp_path, monkeypatch, where):
    with pytest.raises(KeyboardInterrupt):
        loop.train(options, tmp_path, say=lambda _: None, progress=interrupt_after(2))
    before = (tmp_path / "last.pt").read_bytes()

    def broken(predicted, truth):
        if where == "loss":
            return predicted.sum() * float("nan")
        return (predicted * 0).clamp(min=0).sqrt().sum()  # 0, with an infinite slope

    monkeypatch.setattr(learner, "find_loss", lambda name: broken)
    with pytest.raises(loop.TrainingStopped, match="stopped at step 4.*nan.*last good state.*--rate"):
        loop.train(options, tmp_path, say=lambda _: None)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused(whole, options, tmp_path):
    with pytest.raises(ModelError, match="checkpoint of lite, not of resnet38"):
        loop.train(dataclasses.replace(options, model="resnet38"), whole[0])
    with pytest.raises(ModelError, match="checkpoint of lite, not of resnet38"):
        loop.train(dataclasses.replace(options, model="resnet38"), tmp_path, start_from=whole[0] / "last.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + b"\0" * 500])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "last.pt")


def test_a_failed_save_leaves_the_old_checkpoint(whole, options, tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    path.write_bytes((whole[0] / "last.pt").read_bytes())
    before = path.read_bytes()

    def fail(state, file):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        state = learner.Learner(load_network("lite"), options, ALONE).state()
        save_checkpoint(path, {"model": "lite", "options": {}, "step": 1, **state})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_compiled_network_learns_what_the_plain_one_learns(options, photographs, monkeypatch):
    """The trial leaves nothing behind; what cannot be compiled is said, or refused if it was asked for."""
    light = torch.rand(2, 1, 32, 32) * 100
    lab = torch.cat((light, torch.randn(2, 2, 32, 32) * 20), 1)
    torch.manual_seed(0)
    plain, compiled = (
        learner.Learner(load_network("lite"), dataclasses.replace(options, compile=c, precision="fp32"), ALONE)
        for c in ("off", "on")
    )
    compiled.network.load_state_dict(plain.network.state_dict())
    monkeypatch.setattr(torch, "compile", lambda run, dynamic: lambda x: run(x) + 1e-4)  # g++ takes minutes over it
    compiled.compile(light, lab, lambda _: None)
    for name, tensor in compiled.network.state_dict().items():
        assert torch.equal(tensor, plain.network.state_dict()[name]), name
    assert compiled.backward(light, lab) != plain.backward(light, lab)
    said = []
    monkeypatch.setattr(torch, "compile", lambda run, dynamic: 1 / 0)
    with pytest.raises(ModelError, match="cannot be compiled here: division by zero.*--compile off"):
        compiled.compile(light, lab, said.append)
    plain.compile(light, lab, said.append)
    assert said == []


def test_starting_from_a_checkpoint_takes_its_average(whole, options, tmp_path):
    network = learner.first_network(options, whole[0] / "last.pt")
    for name, tensor in load_checkpoint(whole[0] / "last.pt")["ema"].items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_a_frozen_encoder_stays_as_it_was(options, tmp_path):
    frozen = dataclasses.replace(options, encoder_rate=0.0, steps=2, weight_decay=0.1)
    torch.manual_seed(frozen.seed)
    before = load_network("lite").state_dict()
    loop.train(frozen, tmp_path, say=lambda _: None)
    after = load_checkpoint(tmp_path / "last.pt")["network"]
    weights = [name for name, _ in load_network("lite").named_parameters()]
    assert all(torch.equal(before[n], after[n]) for n in weights if n.startswith("encoder."))
    assert any(not torch.equal(before[n], after[n]) for n in weights if not n.startswith("encoder."))


def test_matrices_decay_and_vectors_do_not(options):
    """One step without gradients: AdamW (Loshchilov & Hutter 2019) leaves 1 - rate × weight decay of what decays."""
    taught = learner.Learner(load_network("lite"), dataclasses.replace(options, weight_decay=0.5), ALONE)
    before = {name: weights.double().clone() for name, weights in taught.network.named_parameters()}
    for weights in taught.network.parameters():
        weights.grad = torch.zeros_like(weights)
    taught.update(0.1, 0.9)
    for name, weights in taught.network.named_parameters():
        rate = 0.1 * (options.encoder_rate if name.startswith("encoder.") else 1)
        left = 1 if weights.ndim == 1 else 1 - rate * 0.5
        torch.testing.assert_close(weights.double(), before[name] * left, rtol=1e-6, atol=1e-9, msg=name)
    assert {weights.ndim for weights in before.values()} >= {1, 4}


@pytest.mark.parametrize(("ema", "steps"), [(0.999, 2), (0.1, 1)])
def test_the_average_begins_with_the_first_steps_not_with_the_first_weights(options, tmp_path, ema, steps):
    """Its decay rises to `ema` as TensorFlow's ExponentialMovingAverage lets it: (1 + n) / (10 + n) after n steps."""
    torch.manual_seed(options.seed)
    expected = {name: weights.double() for name, weights in load_network("lite").state_dict().items()}
    for step in range(1, steps + 1):
        loop.train(dataclasses.replace(options, steps=step, ema=ema, samples=0), tmp_path, say=lambda _: None)
        state = load_checkpoint(tmp_path / "last.pt")
        decay = min(ema, (1 + step) / (10 + step))
        for name, weights in state["network"].items():
            if weights.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * weights.double()
                torch.testing.assert_close(state["ema"][name].double(), expected[name], rtol=1e-4, atol=1e-6, msg=name)


def here(capsys, *arguments):
    """(exit code, standard error) of `vidcolor train` in this process: torch is loaded already."""
    with pytest.raises(SystemExit) as leaving:
        main(["train", *map(str, arguments)])
    return leaving.value.code, capsys.readouterr().err


def test_two_processes_train_one_network(options, photographs, tmp_path):
    """The first loss is the mean of two batches' losses under the first weights; the run goes on by two, not by one."""
    config = tmp_path / "run.toml"
    config.write_text(loop.to_toml(dataclasses.replace(options, steps=3, precision="fp32", samples=0)))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = ["-m", "vidcolor", "train", tmp_path / "run", "--config", config]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*torchrun, *map(str, arguments)], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    torch.manual_seed(options.seed)
    network = load_network("lite").train()
    store = load_pictures([photographs], 160, PictureStore(160)).pictures
    store.settle(CPU)
    batches = Batches(store, options.batch, options.size, options.seed, options.whole, Degrade(), CPU)
    expected = []
    for number in range(2):
        shown, truth = batches.make(number)
        with torch.no_grad():
            predicted = network(shown)
        truth = torch.nn.functional.adaptive_avg_pool2d(truth, predicted.shape[-2:])
        expected.append(find_loss(options.loss)(predicted, truth).item())
    assert expected[0] != pytest.approx(expected[1], rel=1e-3)
    assert float(rows(tmp_path / "run")[0]["loss"]) == pytest.approx(np.mean(expected), rel=1e-4)
    assert len(rows(tmp_path / "run")) == 3 and load_checkpoint(tmp_path / "run" / "last.pt")["processes"] == 2
    with pytest.raises(UsageError, match="trained by 2 processes, not 1"):
        loop.train(dataclasses.replace(options, steps=5), tmp_path / "run", say=lambda _: None)


def test_ctrl_c_at_the_shell_saves_and_the_same_command_goes_on(options, tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text(loop.to_toml(dataclasses.replace(options, steps=100_000, steps_between_validations=100_000)))
    run = tmp_path / "run"
    arguments = [sys.executable, "-m", "vidcolor", "train", str(run), "--config", str(config)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not (run / "log.csv").exists() or len(rows(run)) < 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and "goes on from there" in stderr and "Traceback" not in stderr
    step = load_checkpoint(run / "last.pt")["step"]
    assert step >= 2
    # The options are in the checkpoint: nothing but the folder needs to be named.
    code, stderr = here(capsys, run, "--steps", step + 1)
    assert code == 0 and f"resumed at step {step} of {step + 1}" in stderr and "steps 100000 →" in stderr


def test_every_option_can_be_given_on_the_command_line(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = capsys.readouterr().out
    for field in dataclasses.fields(loop.TrainOptions):
        assert {"validation": "--val "}.get(field.name, f"--{field.name.replace('_', '-')} ") in told, field.name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--loss", "l3"], "there are l1, l2"),
        (["--model", "none"], "no model is named 'none'"),
        (["--data", "{empty}"], "no picture files"),
        (["--data", "{empty}/missing"], "no such file or folder"),
        (["--device", "tpu"], "there are auto, cpu, cuda"),
        (["--config", "{empty}/none.toml"], "cannot read the options"),
    ],
)
def test_mistakes_are_one_line(photographs, tmp_path, capsys, arguments, says):
    places = ["--val", photographs] + ([] if "--data" in arguments else ["--data", photographs])
    (tmp_path / "empty").mkdir()
    code, stderr = here(capsys, tmp_path / "run", *places, *(a.format(empty=tmp_path / "empty") for a in arguments))
    (line,) = stderr.strip().splitlines()
    assert code == 2 and line.startswith("vidcolor: ") and says in line


def test_a_picture_too_small_for_batch_norms_is_one_line(photographs, tmp_path, capsys):
    places = ["--data", photographs, "--val", photographs, "--no-pretrained", "--device", "cpu"]
    code, stderr = here(capsys, tmp_path / "run", *places, "--batch", 1, "--size", 32)
    assert code == 2 and stderr.strip().splitlines()[-1].startswith("vidcolor: the network cannot learn from this")
    assert "Traceback" not in stderr and "Take a larger --batch or --size." in stderr
