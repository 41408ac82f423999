"""Laws of the scanner: band-pass noise of the stated size; truth does not depend on noise."""

import numpy as np
import pytest

from strokediff.phantom.acquisition import ct_noise, noise_spectrum


def radial_power(noise, pixel):
    """Mean power spectrum in rings: (frequency per mm, power in HU^2 mm^2)."""
    n = noise.shape[0]
    power = np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2 * pixel**2 / n**2
    power = power.mean(axis=2)
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, pixel)] * 2, indexing="ij"))
    ring = np.round(f * n * pixel).astype(int).ravel()
    count = np.bincount(ring)
    return np.bincount(ring, f.ravel()) / count, np.bincount(ring, power.ravel()) / count


def test_noise_spectrum_has_unit_variance_over_the_plane():
    """The integral of 2 pi f S(f) df is 1."""
    f = np.linspace(0, 3, 30001)
    assert np.trapezoid(2 * np.pi * f * noise_spectrum(f, 0.35), f) == pytest.approx(1, abs=1e-3)


def test_noise_is_band_pass_with_the_stated_spectrum():
    """Measured power follows ramp x MTF^2: none at 0, a peak at half of the cutoff."""
    pixel, cutoff = 0.47, 0.35
    noise = ct_noise(np.random.default_rng(0), (256, 256, 24), pixel, cutoff)
    f, power = radial_power(noise, pixel)
    inside = (f > 0.03) & (f < 0.8)
    expected = noise_spectrum(f, cutoff)
    assert np.allclose(power[inside], expected[inside], rtol=0.25, atol=0.02 * expected.max())
    assert abs(f[inside][np.argmax(power[inside])] - cutoff / 2) < 0.05
    assert power[0] < 0.02 * power.max()
    assert noise.var() == pytest.approx(1.0, abs=0.03)


def test_coarser_pixels_lose_only_what_lies_beyond_nyquist():
    """The noise density below Nyquist does not depend on the matrix."""
    fine, coarse = (
        radial_power(ct_noise(np.random.default_rng(1), (n, n, 24), 240 / n, 0.35), 240 / n)
        for n in (256, 128)
    )
    f = np.linspace(0.05, 0.22, 20)
    assert np.allclose(np.interp(f, *fine), np.interp(f, *coarse), rtol=0.2)


def test_noise_in_the_brain_has_2_to_4_hu(infarct):
    """High-pass residue of white matter-like patches: 1-5 HU at 5 mm (coarse pixels lose some)."""
    hu = infarct.hu.astype(float)
    brain = infarct.brain
    difference = (hu[1:] - hu[:-1])[brain[1:] & brain[:-1]]
    robust = 1.4826 * np.median(np.abs(difference - np.median(difference))) / np.sqrt(2)
    assert 1.0 < robust < 5.0
