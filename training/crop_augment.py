"""Crops turned, bent, redrawn and photographed anew: a whole batch at once in PyTorch, on whatever device it lies."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from edge.errors import ConfigError

REACH = 4.0  # pixels over which elastic distortion is smooth, as in Simard et al.
TALLEST = 3.3  # of a box that is erased, height by width or width by height, as in Zhong et al.


@dataclass(frozen=True)
class CropAugmentation:
    """How far a crop may come to differ. Each crop draws anew, evenly, from each range; 0, the default, switches a step
    off. Pixels are those of crops of 28 a side; a crop of 56 has two for each.

    rotation: degrees, either way.
    shift: pixels, either way, across and down.
    scale: enlarged up to 1 + scale times, or made as many times smaller.
    shear: pixels to the side per pixel down, either way.
    elastic: largest standard deviation of a smooth displacement, in pixels (Simard, Steinkraus and Platt 2003; their
        alpha of 34 is 1.4).
    thickness: pixels that a stroke becomes broader or finer by, half of it at either edge.
    erasing: largest share of the crop that is erased in one box (Zhong et al., "Random erasing", 2020).
    blur: largest standard deviation of a Gaussian, in pixels.
    contrast: grey levels up to 1 + contrast times as high, or as many times lower; paper stays paper.
    brightness: share of 255 grey levels that is added or taken away, of paper too.
    noise: largest standard deviation of what is added to each pixel, in grey levels.
    plain: share of the crops that are left as they are.

    Why not Kornia: its 0.9 takes four times as long for these steps but thickness, which it has not (26 to 30 ms
    against 7 for 64 crops, one thread of a busy server, in one run). There each step is a class, sampled for itself.
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    thickness: float = 0.0
    erasing: float = 0.0
    blur: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    plain: float = 0.0

    def __post_init__(self) -> None:
        """Raises ConfigError for a range that goes too far."""
        for field in fields(self):
            value, most = getattr(self, field.name), _MOST.get(field.name, 1)
            if not 0 <= value <= most:
                raise ConfigError(f"augmentation.{field.name}: {value} is not in 0 to {most}; 0 switches it off")

    def __call__(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 [N, S, S] or [N, S, S, C], 0 paper to 255 ink -> the same shape and type. `crops` stays as it is.

        generator: of the crops' device. In the same state it gives the same crops.
        """
        if all(getattr(self, field.name) == 0 for field in fields(self) if field.name != "plain"):
            return crops
        # A number for each crop and range, used or not: so one step more leaves those of the others as they are.
        size = (len(crops), 1, 1, 1)
        turn, across, down, larger, lean, broader, taller, paler, lighter = 2 * _drawn(9, size, generator) - 1
        bent, gap, left, top, blurred, noisy, plain = _drawn(7, size, generator)
        pixel = crops.shape[1] / 28
        x = crops.to(torch.float32)
        x = x.unsqueeze(1) if crops.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()

        if self.rotation or self.shift or self.scale or self.shear or self.elastic:
            back = _inverse(turn * self.rotation, lean * self.shear, (1 + self.scale) ** larger)
            shift = torch.cat([across, down], 2).squeeze(1) * self.shift * pixel
            bends = bent * self.elastic * pixel if self.elastic else None
            x = _moved(x, back, shift, bends, pixel, generator)
        if self.thickness:
            x = _redrawn(x, broader * self.thickness * pixel / 2, self.thickness * pixel / 2)
        if self.erasing:
            x = x * ~_box(x.shape[-1], gap * self.erasing, TALLEST**taller, left, top)
        if self.blur:
            x = _blurred(x, blurred * self.blur * pixel)
        if self.contrast:
            x = x * (1 + self.contrast) ** paler
        if self.brightness:
            x = x + lighter * self.brightness * 255
        if self.noise:
            x = x + noisy * self.noise * torch.randn(x.shape, generator=generator, device=x.device)

        out = x.round().clamp(0, 255).to(torch.uint8)
        out = out.squeeze(1) if crops.ndim == 3 else out.permute(0, 2, 3, 1)
        return torch.where((plain < self.plain).view(-1, *[1] * (crops.ndim - 1)), crops, out) if self.plain else out


_MOST = {
    "rotation": 180,
    "shift": 28,
    "scale": 4,
    "shear": 4,
    "elastic": 14,
    "thickness": 14,
    "blur": 14,
    "contrast": 10,
    "noise": 255,
}
"""What each range may go up to; the others are shares."""


def _drawn(count: int, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(count, *size, generator=generator, device=generator.device)


def _inverse(degrees: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
    """float32 [N, 2, 2] that takes (x, y) about the middle back to where it came from: scaled, sheared, then turned."""
    angle = torch.deg2rad(degrees.flatten())
    shear, scale = shear.flatten(), scale.flatten()
    cos, sin = angle.cos() / scale, angle.sin() / scale
    return torch.stack([cos + shear * sin, sin - shear * cos, -sin, cos], 1).view(-1, 2, 2)


def _moved(
    x: Tensor, back: Tensor, shift: Tensor, bends: Tensor | None, pixel: float, generator: torch.Generator
) -> Tensor:
    """x float32 [N, C, S, S], sampled once. back: [N, 2, 2], shift: [N, 2, 1] in pixels of x. bends: [N, 1, 1, 1],
    standard deviation of a displacement in these, or none; pixel: how many of these a pixel of 28 a side is.
    """
    unit = 2 / x.shape[-1]  # a pixel, where the crop reaches from -1 to 1
    places = functional.affine_grid(torch.cat([back, back @ shift * -unit], 2), list(x.shape), align_corners=False)
    if bends is not None:
        smooth = _smoothing(x.shape[-1], REACH * pixel, x.device)
        knots = smooth.shape[1]
        fields = torch.randn(len(x), 2, knots, knots, generator=generator, device=x.device)
        places = places + bends * unit * (smooth @ fields @ smooth.mT).permute(0, 2, 3, 1)
    moved: Tensor = functional.grid_sample(x, places, align_corners=False)
    return moved


def _smoothing(side: int, reach: float, device: torch.device) -> Tensor:
    """float32 [side, knots]: Gaussians of deviation `reach` about knots that lie as far apart and reach over the edges.
    On both sides of a field of normal numbers of unit deviation it gives a smooth one of unit deviation.
    """
    knots = torch.arange(-2 * reach, side + 2 * reach, reach, device=device)
    smooth = torch.exp(-((torch.arange(side, device=device)[:, None] - knots) ** 2) / (2 * reach**2))
    return smooth / smooth.norm(dim=1, keepdim=True)


def _redrawn(x: Tensor, by: Tensor, most: float) -> Tensor:
    """Strokes' edges moved outward by `by` [N, 1, 1, 1] pixels, or inward where it is negative, at most `most`: by
    dilation and erosion of 3x3, of which a share is mixed in, once for each pixel.
    """
    finer = (by < 0).flatten()
    step = 0.0
    while step < most:
        beyond = torch.empty_like(x)
        beyond[~finer], beyond[finer] = _dilated(x[~finer]), _thinned(x[finer])
        x = x + (by.abs() - step).clamp(0, 1) * (beyond - x)
        step += 1
    return x


def _thinned(x: Tensor) -> Tensor:
    """Eroded, but for what would vanish for good, which stays: so no stroke is lost, however fine."""
    eroded = -_dilated(-x)
    return eroded + x - _dilated(eroded)


def _dilated(x: Tensor) -> Tensor:
    """The largest of each 3x3 pixels: what max_pool2d gives, which takes forty times as long on a CPU."""
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    x = torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])
    return torch.maximum(torch.maximum(x[..., :-2, :], x[..., 1:-1, :]), x[..., 2:, :])


def _box(side: int, share: Tensor, tall: Tensor, left: Tensor, top: Tensor) -> Tensor:
    """bool [N, 1, side, side]: boxes of `share` of the crop, `tall` times as high as wide, wherever they have room.
    All [N, 1, 1, 1]; left, top: in [0, 1].
    """
    at = torch.arange(side, device=share.device) + 0.5
    high, wide = ((share * tall).sqrt() * side).clamp(max=side), ((share / tall).sqrt() * side).clamp(max=side)
    down, across = at.view(-1, 1) - top * (side - high), at - left * (side - wide)
    return ((down >= 0) & (down < high)) & ((across >= 0) & (across < wide))


def _blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Each crop by a Gaussian of its own, `sigma` [N, 1, 1, 1] pixels, as a matrix on either side of it."""
    at = torch.arange(x.shape[-1], device=x.device)
    falling = torch.exp(-(at**2) / (2 * sigma.flatten(1).clamp(min=1e-3) ** 2))
    falling = functional.threshold(falling, 1e-6, 0)  # what lies below is slow to multiply and too little to see
    near = falling[:, (at[:, None] - at).abs()].unsqueeze(1)
    near = near / near.sum(3, keepdim=True)
    return near @ x @ near.mT
