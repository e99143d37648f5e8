"""Batch norm for few channels, fast in channels-last on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from relativenas_optuna.networks.layers.tracing import is_traced

_MOST_CHANNELS = 32
"""Most channels for which folding is faster; more channels fill the CPU's vectors anyway."""
_LEAST_PIXELS = 2**15
"""Least number of pixels in a batch for which folding is faster, despite its extra calls."""
_WIDTH = 256
"""Largest number of channels after folding."""


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm that is fast for few channels: it treats neighbouring pixels as more channels.

    The CPU library computes many channels at once, so that 4 channels take 15 times as long as 64.
    Here neighbouring pixels are folded into channels. The statistics of the channels are computed
    from those of the folded channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[b, c, h, w]` of any memory format; the result has the same shape."""
        fold = self._fold(x)
        if fold == 1:
            return super().forward(x)
        if not self.training:
            assert self.running_mean is not None and self.running_var is not None
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            scale, shift = _tiled(fold, scale, self.bias - self.running_mean * scale)
            return _images(torch.addcmul(shift, _rows(x, fold), scale), x.shape)
        result, mean, variance = _TrainingNorm.apply(x, self.weight, self.bias, self.eps, fold)
        self._track(mean, variance, x.numel() // x.shape[1])
        return result  # type: ignore[no-any-return]

    def _fold(self, x: Tensor) -> int:
        """Return the number of neighbouring pixels to fold; 1 to leave all to the library."""
        if (
            is_traced()
            or x.device.type != "cpu"
            or x.dim() != 4
            or x.dtype != self.weight.dtype
            or x.shape[1] > _MOST_CHANNELS
            or x.numel() < _LEAST_PIXELS * x.shape[1]
            or not x.is_contiguous(memory_format=torch.channels_last)
            or torch.is_autocast_enabled("cpu")
        ):
            return 1
        pixels = x.numel() // x.shape[1]
        most: int = 1 << ((_WIDTH // x.shape[1]).bit_length() - 1)
        return min(most, pixels & -pixels)  # the largest power of two in both

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics, as torch does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (count / (count - 1)), weight)


def _rows(x: Tensor, fold: int) -> Tensor:
    """Return `[b, c, h, w]`, channels last, as `[b * h * w / fold, fold * c]`."""
    return x.permute(0, 2, 3, 1).reshape(-1, fold * x.shape[1])


def _images(rows: Tensor, shape: torch.Size) -> Tensor:
    """Return rows as images `shape`, the inverse of `_rows`."""
    batch, channels, height, width = shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _tiled(fold: int, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Return each tensor `[c]` repeated as `[fold * c]`."""
    together = torch.stack(tensors).unsqueeze(1).expand(-1, fold, -1)
    # With one channel the reshaping is a view of stride 0, and the library reads on behind it.
    return together.reshape(len(tensors), -1).contiguous().unbind()


class _TrainingNorm(torch.autograd.Function):
    """Normalisation by the statistics of the batch, which it returns too (biased variance)."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, fold: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        means, variances = torch.batch_norm_update_stats(_rows(x, fold), None, None, 0.0)
        means = means.view(fold, -1)
        mean = means.mean(0)
        # Variance within the folded channels, and between them.
        variance = variances.view(fold, -1).mean(0) + (means - mean).square().mean(0)
        scale = weight * torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.fold = eps, fold
        ctx.mark_non_differentiable(mean, variance)
        # Not a view: a ReLU may come in place after it.
        result = torch.empty_like(x)
        scale, shift = _tiled(fold, scale, bias - mean * scale)
        torch.addcmul(shift, _rows(x, fold), scale, out=_rows(result, fold))
        return result, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        fold: int = ctx.fold
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        rows, of_rows = _rows(x, fold), _rows(gradient, fold)
        # The formulas of evaluation mode: the sums of g * (x - mean) / std and of g.
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            of_rows, rows, None, *_tiled(fold, mean, variance), None, None, False, ctx.eps,
            (False, True, True),
        )  # fmt: skip
        of_weight, of_bias = of_weight.view(fold, -1).sum(0), of_bias.view(fold, -1).sum(0)
        of_x = None
        if ctx.needs_input_grad[0]:
            # weight / std * (g - mean(g) - x_normal * mean(g * x_normal)), as a g + b x + c.
            inverse = torch.rsqrt(variance + ctx.eps)
            count = x.numel() // x.shape[1]
            of_gradient = weight * inverse
            of_input = -of_gradient * inverse * of_weight / count
            rest = -of_gradient * of_bias / count - of_input * mean
            of_gradient, of_input, rest = _tiled(fold, of_gradient, of_input, rest)
            moved = torch.addcmul(rest, of_rows, of_gradient).addcmul_(rows, of_input)
            of_x = _images(moved, x.shape)
        return of_x, of_weight, of_bias, None, None
