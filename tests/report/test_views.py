"""Laws: the patient's right is on the left and the front is up; the key slice is always shown."""

import numpy as np
import pytest

from strokediff.report.views import choose_slices, crop_to_head, key_slice, to_grey

SPACING = (2.0, 3.0)


def head(shape=(40, 40, 30)):
    """Air with a block of soft tissue in x 10..29, y 12..31."""
    hu = np.full(shape, -1000.0, dtype=np.float32)
    hu[10:30, 12:32] = 40.0
    return hu


def test_radiological_convention():
    hu = head()
    hu[28, 20, 5] = 55.0  # far on the patient's right
    hu[20, 30, 5] = 25.0  # far to the front
    empty = np.zeros(hu.shape, dtype=bool)
    shown = crop_to_head(hu, empty, None, SPACING).axial(hu, 5)
    rows, columns = shown.shape
    (right,), (front,) = np.argwhere(shown == 55.0), np.argwhere(shown == 25.0)
    assert right[1] < columns / 3
    assert front[0] < rows / 3


def test_the_crop_is_the_brain_or_the_head_with_a_margin_in_mm():
    hu, empty = head(), np.zeros(head().shape, dtype=bool)
    crop = crop_to_head(hu, empty, None, SPACING)
    assert (crop.x, crop.y) == (slice(3, 37), slice(7, 37))  # 14 mm: 7 pixels in x, 5 in y
    assert crop.size_mm == (34 * 2.0, 30 * 3.0)
    brain = empty.copy()
    brain[15:20, 15:20] = True
    assert crop_to_head(hu, empty, brain, SPACING).x == slice(8, 27)
    lesion = empty.copy()
    lesion[0, 39, 3] = True  # a mask outside the brain is not cut away
    crop = crop_to_head(hu, lesion, brain, SPACING)
    assert crop.x.start == 0 and crop.y.stop == 40


def test_a_thin_head_rest_does_not_widen_the_crop():
    hu, empty = head(), np.zeros(head().shape, dtype=bool)
    hu[:, 2] = -100.0
    hu[19, 2] = 0.0
    hu = hu.copy()
    hu[:, 2, 1:] = -1000.0
    assert crop_to_head(hu, empty, None, SPACING).y.start == 7


def test_an_image_of_air_is_shown_whole():
    air = np.full((5, 6, 3), -1000.0)
    empty = np.zeros(air.shape, dtype=bool)
    crop = crop_to_head(air, empty, None, SPACING)
    assert (crop.x, crop.y) == (slice(0, 5), slice(0, 6))
    assert choose_slices(air, empty, None, 24) == [0, 1, 2]


@pytest.mark.parametrize("largest", range(5, 26))
def test_at_most_that_many_slices_and_the_largest_lesion_among_them(largest):
    hu = head()
    brain = np.zeros(hu.shape, dtype=bool)
    brain[12:28, 14:30, 5:26] = True
    lesion = np.zeros_like(brain)
    lesion[20, 20, 5:26] = True
    lesion[20:22, 20:24, largest] = True
    chosen = choose_slices(hu, lesion, brain, 6)
    assert len(chosen) == len(set(chosen)) == 6
    assert chosen == sorted(chosen) and chosen[0] >= 5 and chosen[-1] <= 25
    assert largest in chosen and key_slice(lesion) == largest


def test_all_slices_of_the_brain_where_they_are_few_and_lesions_outside_it_too():
    hu = head()
    brain = np.zeros(hu.shape, dtype=bool)
    brain[12:28, 14:30, 5:15] = True
    lesion = np.zeros_like(brain)
    lesion[20, 20, 20] = True
    assert choose_slices(hu, lesion, brain, 24) == [*range(5, 15), 20]


def test_window_w40_l40():
    grey = to_grey(np.array([-1000.0, 20.0, 40.0, 60.0, 3000.0, np.nan]))
    np.testing.assert_allclose(grey, [0, 0, 0.5, 1, 1, 0])


@pytest.mark.parametrize("wanted", [[7], [5, 25], [9, 10, 11], list(range(5, 26))], ids=len)
def test_what_is_wanted_is_shown_beside_the_largest_lesion(wanted):
    """Unusable slices, as many as half of what fits; the key slice keeps its place."""
    hu = head()
    brain = np.zeros(hu.shape, dtype=bool)
    brain[12:28, 14:30, 5:26] = True
    lesion = np.zeros_like(brain)
    lesion[20, 20, 17] = True
    chosen = choose_slices(hu, lesion, brain, 8, wanted)
    assert len(chosen) == len(set(chosen)) == 8
    assert chosen == sorted(chosen) and 17 in chosen
    assert len(set(wanted) & set(chosen)) >= min(len(wanted), 4)
