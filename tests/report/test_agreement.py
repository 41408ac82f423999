"""Laws of the picture of two readers: one message, axes with units, limits and their intervals."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.figure import Figure

from strokediff.errors import UsageError
from strokediff.evaluation.agreement.volumes import Agreement, agreement
from strokediff.evaluation.unit import Unit
from strokediff.report.agreement import message, write_agreement_figure

A, B = [12.0, 35, 80, 4, 51], [10.0, 30, 64, 5, 47]


def growing() -> Agreement:
    rng, b = np.random.default_rng(0), np.linspace(5, 120, 60)
    a = 1.5 * b * np.exp(rng.normal(0, 0.2, 60))
    a[0] = 0
    return agreement(a, b)


def drawn(path: Path, found: dict[str, Agreement], **own: object) -> tuple[Figure, str]:
    """The figure, and all that is written on it."""
    with patch("strokediff.report.agreement.FigureCanvasAgg", wraps=_canvas) as canvas:
        write_agreement_figure(path, found, **own)  # type: ignore[arg-type]
    figure = canvas.call_args.args[0]
    return figure, "\n".join(t.get_text() for t in figure.findobj(lambda o: hasattr(o, "get_text")))


def _canvas(figure: Figure) -> object:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure)


def test_axes_limits_and_intervals_are_named(tmp_path: Path) -> None:
    found = agreement(A, B)
    figure, text = drawn(tmp_path / "r.png", {"lesion": found}, names=("anna", "model"))
    for told in (
        "volume by A (anna), mL",
        "volume by B (model), mL",
        "mean of A and B, mL",
        "difference A - B, mL",
        f"{found.difference.upper.value:.1f}",
        f"[{found.difference.lower.low:.1f}, {found.difference.lower.high:.1f}]",
        message(found, "mL"),
        "research use only",
        "Neither is the truth",
    ):
        assert told in text
    assert len(figure.axes) == 2
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_points_are_the_patients(tmp_path: Path) -> None:
    figure, _ = drawn(tmp_path / "r.png", {"lesion": agreement(A, B)})
    left, right = (axes.collections[0].get_offsets() for axes in figure.axes)
    assert np.allclose(left, np.column_stack([B, A]))
    assert np.allclose(right, np.column_stack([np.add(A, B) / 2, np.subtract(A, B)]))


def test_where_the_spread_grows_ratios_are_drawn_and_told(tmp_path: Path) -> None:
    found = growing()
    figure, text = drawn(tmp_path / "r.png", {"lesion": found})
    assert "ratio A / B" in text and "1 with a 0 left out" in text
    assert message(found, "mL").startswith(f"A has {found.ratio.bias.value:.2f} times B's volume")
    assert len(figure.axes[1].collections[0].get_offsets()) == 59
    assert "difference" not in text


def test_a_row_a_kind_in_the_unit(tmp_path: Path) -> None:
    both = {"lesion": agreement(A, B), "infarct": agreement(B, A)}
    figure, text = drawn(tmp_path / "r.png", both, unit=Unit.PX)
    assert len(figure.axes) == 4
    assert "infarct: A has" in text and "lesion: " not in text
    assert "difference A - B, voxels" in text and "mL" not in text


@pytest.mark.parametrize("volumes", [([3.0], [4.0]), ([0.0], [0.0]), ([5.0, 5.0], [5.0, 5.0])])
def test_what_does_not_exist_is_not_drawn(
    tmp_path: Path, volumes: tuple[list[float], list[float]]
) -> None:
    _, text = drawn(tmp_path / "r.png", {"lesion": agreement(*volumes)})
    assert "nan" not in text.lower() and "ICC(2,1) none" in text
    if len(volumes[0]) == 1:
        assert "1 patient: no limits of agreement" in text


def test_names_are_literal(tmp_path: Path) -> None:
    """Neither TeX nor a control character of a folder's name acts."""
    _, text = drawn(
        tmp_path / "r.png", {"lesion": agreement(A, B)}, names=("$x_1$\x1b[31m", "m" * 99)
    )
    assert "$x_1$" in text and "\x1b" not in text
    assert "m" * 40 not in text


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_agreement_figure(tmp_path / "file" / "r.png", {"lesion": agreement(A, B)})
