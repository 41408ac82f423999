"""Weights into a network: all of them, of its shapes, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from strokediff.errors import InputError

SHOWN = 3


def check_weights(module: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    """`InputError` unless `weights` have the names, shapes and kinds of numbers of `module`.

    `what` begins the message: the file and what it should fit. The module may lie on the device
    "meta", where it has shapes but takes no memory.
    """
    wrong = _wrong(module.state_dict(), weights)
    if wrong:
        raise InputError(f"{what} ({wrong}). Copy the whole folder again or train again.")


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    """Copy `weights` into `module`, checked as by `check_weights`."""
    check_weights(module, weights, what)
    module.load_state_dict(dict(weights))


def _wrong(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    missing, extra = sorted({*wanted} - {*found}), sorted({*found} - {*wanted})
    if missing:
        return f"missing: {_listed(missing)}"
    if extra:
        return f"of no place in it: {_listed(extra)}"
    for name, value in wanted.items():
        own = found[name]
        if own.shape != value.shape:
            return f"'{name}': expected {_shape(value)}, got {_shape(own)}"
        both_real = own.is_floating_point() and value.is_floating_point()
        if own.dtype != value.dtype and not both_real:
            return f"'{name}': expected {value.dtype}, got {own.dtype}"
    return ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "one number"
