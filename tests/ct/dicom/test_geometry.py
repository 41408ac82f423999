"""Law: holes are increments that are whole multiples of those beside them; zones are not."""

import numpy as np
import pytest
from dicom_factory import write_series

from strokediff.ct.dicom.geometry import StackGeometry
from strokediff.ct.dicom.headers import scan


def geometry_of(tmp_path, steps):
    z = np.concatenate([[0.0], np.cumsum(steps)])
    hu = np.full((len(z), 4, 4), -1000, np.int16)
    return StackGeometry.of(scan(write_series(tmp_path, hu=hu, z=z)).slices)


@pytest.mark.parametrize(
    ("steps", "holes"),
    [
        ([5] * 6, []),
        ([5, 5, 10, 5, 5], [2]),
        ([5, 5, 15, 5, 5], [2]),
        ([5, 5, 10, 10, 5, 5], [2, 3]),
        ([5, 5, 5, 10], [3]),
        ([10, 5, 5, 5], [0]),
        ([5, 5, 10.2, 5, 4.9], [2]),
        ([4, 4, 4, 1.08, 7, 7, 7], []),
        ([2.5, 2.5, 2.5, 5, 5, 5], []),
        ([5, 5, 5, 2.5, 2.5, 2.5], []),
        ([2.5, 2.5, 5, 5, 5, 2.5, 2.5], []),
        ([2.5, 2.5, 2.5, 10, 5, 5, 5], [3]),
        ([5, 5, 7.3, 5, 5], []),
        ([9.05, 8.95, 9.05, 8.95, 9.05], []),
        ([1] * 10 + [30] + [1] * 10, [10]),
    ],
)
def test_holes(tmp_path, steps, holes):
    assert geometry_of(tmp_path, steps).gaps() == holes


def test_local_increments_add_up_to_the_tissue(tmp_path):
    """Half of each neighbouring step; end slices as if their step continued."""
    geometry = geometry_of(tmp_path, [4, 4, 1, 7, 7])
    np.testing.assert_allclose(geometry.local_increments_mm(), [4, 4, 2.5, 4, 7, 7])
    total = geometry.extent_mm + 4 / 2 + 7 / 2
    assert geometry.local_increments_mm().sum() == pytest.approx(total)


@pytest.mark.parametrize(
    ("steps", "even"),
    [([5, 5, 5.02, 5], True), ([5, 5, 5.6, 5], False), ([5.2] * 10 + [4.8] * 10, False)],
)
def test_even_means_no_slice_strays_from_its_place(tmp_path, steps, even):
    """The last case drifts: every step is within 4 %, yet the middle slice is 2 mm off."""
    assert geometry_of(tmp_path, steps).is_even is even
