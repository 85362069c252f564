"""Crops come to differ as far as asked and no further, each by itself, and the same again from the same seed."""

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.imaging.normalise import normalise
from training.crop_augment import CropAugmentation, _box
from training.synth.strokes import HandStyle, draw_hand

STRONG = {
    "rotation": 15.0,
    "shift": 3.0,
    "scale": 0.3,
    "shear": 0.3,
    "elastic": 1.4,
    "thickness": 2.0,
    "erasing": 0.2,
    "blur": 1.0,
    "contrast": 0.5,
    "brightness": 0.2,
    "noise": 20.0,
}
"""What a recipe might ask of each step."""

ranges = st.fixed_dictionaries({name: st.sampled_from([0.0, most]) for name, most in STRONG.items()})


@cache
def digits():
    """uint8 [20, 28, 28]: each digit by two writers."""
    rng = np.random.default_rng(3)
    hands = [draw_hand(rng, HandStyle(pen=(0.06, 0.14))) for _ in range(2)]
    return torch.from_numpy(np.stack([normalise(hand.digit(label, rng)) for hand in hands for label in range(10)]))


def augmented(crops, seed=0, **asked):
    return CropAugmentation(**asked)(crops, torch.Generator().manual_seed(seed))


def bars(count, side=28, ink=255):
    """Upright bars in the middle, a seventh of the crop wide and half as high."""
    crops = torch.zeros(count, side, side, dtype=torch.uint8)
    crops[:, side // 4 : 3 * side // 4, 3 * side // 7 : 4 * side // 7] = ink
    return crops


def moments(crops):
    """Centre (x, y) and covariance (xx, xy, yy) of each crop's ink, in pixels, float64 [N, 5]."""
    ink = crops.double()
    ink = ink / ink.sum((1, 2), keepdim=True)
    at = torch.arange(crops.shape[1], dtype=torch.float64)
    x, y = (ink.sum(1) * at).sum(1), (ink.sum(2) * at).sum(1)
    dx, dy = at - x[:, None], at - y[:, None]
    both = (ink * dy[:, :, None] * dx[:, None, :]).sum((1, 2))
    return torch.stack([x, y, (ink.sum(1) * dx**2).sum(1), both, (ink.sum(2) * dy**2).sum(1)], 1)


def test_without_a_range_the_very_same_crops_come_back():
    assert torch.equal(augmented(digits()), digits())
    assert torch.equal(augmented(digits(), plain=0.5), digits())


@given(ranges, st.integers(0, 10**6), st.sampled_from([16, 28, 45]), st.booleans())
@settings(max_examples=40)
def test_a_seed_decides_all_and_crops_handed_in_stay(asked, seed, side, coloured):
    shape = (4, side, side, 3) if coloured else (4, side, side)
    crops = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
    before = crops.clone()
    one, again, other = (augmented(crops, s, **asked) for s in (seed, seed, seed + 1))
    assert torch.equal(crops, before)
    assert one.shape == crops.shape and one.dtype == torch.uint8
    assert torch.equal(one, again)
    assert torch.equal(one, other) == (not any(asked.values()))


@given(ranges, st.integers(0, 10**6))
@settings(max_examples=25)
def test_colours_move_together(asked, seed):
    asked = {**asked, "noise": 0.0}
    coloured = augmented(digits()[..., None].expand(-1, -1, -1, 3), seed, **asked)
    grey = augmented(digits(), seed, **asked)
    assert (coloured.int() - grey[..., None].int()).abs().max() <= 1


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_a_clear_digit_is_never_lost(seed):
    gentle = {name: most / 2 for name, most in STRONG.items()}
    out = augmented(digits(), seed, **{**gentle, "erasing": 0.0, "brightness": 0.0, "noise": 0.0})
    shares = (out > 60).float().mean((1, 2))
    assert ((shares > 0.02) & (shares < 0.6)).all()


@pytest.mark.parametrize("rotation", [8.0, 25.0])
def test_turns_go_both_ways_as_far_as_asked(rotation):
    _, _, xx, xy, yy = moments(augmented(bars(200), rotation=rotation)).T
    angles = 0.5 * torch.atan2(2 * xy, yy - xx).rad2deg()
    assert angles.abs().max() < rotation + 1
    assert angles.min() < -0.85 * rotation and angles.max() > 0.85 * rotation


@pytest.mark.parametrize("side", [28, 56])
def test_shifts_are_in_pixels_of_28_a_side_and_go_all_ways(side):
    moved = (moments(augmented(bars(200, side), shift=3))[:, :2] - moments(bars(1, side))[:, :2]) * 28 / side
    assert moved.abs().max() < 3.05
    assert (moved.amin(0) < -2.6).all() and (moved.amax(0) > 2.6).all()
    assert abs(np.corrcoef(moved.numpy().T)[0, 1]) < 0.2


def test_scale_makes_larger_and_smaller_by_as_much():
    times = (moments(augmented(bars(200, 56), scale=0.5))[:, 4] / moments(bars(1, 56))[:, 4]).sqrt()
    assert 1 / 1.55 < times.min() < 1 / 1.4 and 1.4 < times.max() < 1.55
    assert abs(times.log().mean()) < 0.06


def test_shear_moves_to_the_side_what_lies_lower():
    x, y, _, xy, yy = moments(augmented(bars(200, 56), shear=0.4)).T
    slopes = xy / yy
    assert slopes.abs().max() < 0.42 and slopes.min() < -0.35 and slopes.max() > 0.35
    middle = moments(bars(1, 56))[0]
    assert (x - middle[0]).abs().max() < 0.3 and (y - middle[1]).abs().max() < 0.1


def test_turned_and_slanted_ink_keeps_its_amount_and_its_place():
    """A crop is turned, slanted and scaled about its middle, then shifted: as far as without."""
    bar = bars(100, 56)
    inked = augmented(bar, rotation=30, shear=0.4).double().sum((1, 2)) / bar[0].sum()
    assert (inked - 1).abs().max() < 0.03
    shifted = moments(augmented(bar, shift=3))[:, :2]
    both = moments(augmented(bar, shift=3, rotation=180, shear=0.4, scale=0.2))[:, :2]
    assert (shifted - both).abs().max() < 0.3


@pytest.mark.parametrize(("side", "elastic"), [(28, 1.2), (56, 1.2), (28, 0.4)])
def test_elastic_distortion_is_smooth_and_as_strong_as_asked(side, elastic):
    """Of a ramp that grows by 4 to the right, a displaced pixel tells how far it came from."""
    ramp = (4 * torch.arange(side)).to(torch.uint8).expand(400, side, side)
    moved = (augmented(ramp, elastic=elastic).float() - ramp) / 4 * 28 / side
    moved = moved[:, side // 4 : -side // 4, side // 4 : -side // 4]
    # Each crop's strength is drawn evenly from 0 to `elastic`.
    assert moved.square().mean().sqrt().item() == pytest.approx(elastic / 3**0.5, rel=0.12)
    assert moved.mean().abs() < 0.1 * elastic
    step = side // 28
    near, far = (
        torch.corrcoef(torch.stack([moved[..., :-by].flatten(), moved[..., by:].flatten()]))[0, 1]
        for by in (step, 12 * step)
    )
    assert near > 0.9 and far < 0.3


def test_strokes_grow_and_shrink_at_both_edges():
    wide = bars(200, 28)
    width = augmented(wide, thickness=2)[:, 14].float().sum(1) / 255
    assert 2 <= width.min() < 2.2 and 5.8 < width.max() <= 6
    assert abs(width.mean() - 4) < 0.3


def test_more_than_a_pixel_is_taken_in_steps():
    width = augmented(bars(200, 56), thickness=3)[:, 28].float().sum(1) / 255 / 2
    assert 1 <= width.min() < 1.3 and 6.7 < width.max() <= 7


@given(st.integers(0, 10**6), st.sampled_from([1.0, 2.0, 4.0]))
@settings(max_examples=20)
def test_the_finest_stroke_is_still_there_whatever_the_pen(seed, thickness):
    fine = torch.zeros(8, 28, 28, dtype=torch.uint8)
    fine[:4, 4:24, 14] = 200
    fine[4:, 4:24, 14:16] = 200
    out = augmented(fine, seed, thickness=thickness)
    assert (out[:, 4:24].amax(2) == 200).all()


def test_one_box_at_most_is_erased_and_no_more_than_asked():
    white = torch.full((300, 28, 28), 255, dtype=torch.uint8)
    gone = augmented(white, erasing=0.2) == 0
    shares = gone.float().mean((1, 2))
    assert 0.17 < shares.max() < 0.24 and shares.min() < 0.02 and 0.08 < shares.mean() < 0.12
    rows, columns = gone.any(2), gone.any(1)
    assert torch.equal(gone, rows[:, :, None] & columns[:, None, :])
    tall = rows.sum(1) / columns.sum(1).clamp(min=1)
    assert tall.max() > 2 and tall[shares > 0.02].min() < 0.5
    # Boxes lie anywhere: nearly every pixel is erased in some crop, and not one in most.
    assert gone.any(0).float().mean() > 0.97 and gone.float().mean(0).max() < 0.3


@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5)])
def test_boxes_reach_every_edge_and_none_beyond(left, top):
    places = (torch.full((1, 1, 1, 1), value) for value in (0.25, 1.0, left, top))
    box = _box(28, *places)[0, 0]
    assert box.sum() == 14 * 14
    at = box.nonzero().amin(0)
    assert at.tolist() == [round(14 * top), round(14 * left)]


def test_blur_spreads_ink_and_keeps_its_amount():
    dot = torch.zeros(200, 28, 28, dtype=torch.uint8)
    dot[:, 13:15, 13:15] = 255
    spread = (moments(augmented(dot, blur=1.5))[:, 2] - moments(dot[:1])[:, 2]).clamp(min=0).sqrt()
    assert 1.3 < spread.max() < 1.6 and spread.min() < 0.3
    assert torch.equal(augmented(torch.full((4, 20, 20), 77, dtype=torch.uint8), blur=1.5).unique(), torch.tensor([77]))


def test_contrast_leaves_paper_and_changes_ink_by_a_factor():
    out = augmented(bars(200, ink=100), contrast=0.5).flatten(1)
    assert (out.amin(1) == 0).all()
    assert all(len(crop.unique()) == 2 for crop in out)
    assert 67 <= out.amax(1).min() < 72 and 142 < out.amax(1).max() <= 150


def test_brightness_moves_all_grey_levels_alike():
    grey = torch.full((200, 20, 20), 100, dtype=torch.uint8)
    out = augmented(grey, brightness=0.2).flatten(1)
    assert (out.amin(1) == out.amax(1)).all()
    assert 49 <= out.min() < 55 and 145 < out.max() <= 151


def test_noise_is_each_pixels_own_and_as_strong_as_asked():
    grey = torch.full((200, 28, 28), 128, dtype=torch.uint8)
    out = augmented(grey, noise=20).float() - 128
    strengths = out.flatten(1).std(1)
    assert strengths.min() < 2 and 18 < strengths.max() < 21.5
    assert out.mean().abs() < 0.2
    assert abs(torch.corrcoef(torch.stack([out[:, :, 1:].flatten(), out[:, :, :-1].flatten()]))[0, 1]) < 0.02


def test_a_share_of_crops_is_left_as_it_is():
    crops = digits().repeat(20, 1, 1)
    same = (augmented(crops, **STRONG, plain=0.3) == crops).flatten(1).all(1)
    assert same.float().mean() == pytest.approx(0.3, abs=0.07)


def test_each_crop_draws_its_own():
    alike = digits()[2:3].expand(30, -1, -1)
    assert len(augmented(alike, **STRONG).flatten(1).unique(dim=0)) == 30


def test_a_step_more_leaves_what_the_others_draw():
    alone, both = (moments(augmented(bars(50, ink=150), 5, **asked)) for asked in ({"shift": 3}, STRONG | {"plain": 0}))
    assert not torch.allclose(alone[:, :2], both[:, :2], atol=0.2)
    with_contrast = moments(augmented(bars(50, ink=150), 5, shift=3, contrast=0.5))
    assert torch.allclose(alone[:, :2], with_contrast[:, :2], atol=0.05)


@pytest.mark.parametrize("name", [field.name for field in fields(CropAugmentation)])
@pytest.mark.parametrize("value", [-0.1, 1000.0, float("nan")])
def test_a_range_that_cannot_be_is_refused_by_its_name(name, value):
    with pytest.raises(ConfigError, match=rf"^augmentation\.{name}: {value} is not in 0 to \d+; 0 switches it off$"):
        CropAugmentation(**{name: value})
