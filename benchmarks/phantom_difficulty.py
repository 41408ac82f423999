"""How hard is the phantom? A plain U-Net trained on phantoms, its Dice on unseen phantoms.

    python benchmarks/phantom_difficulty.py infarct --train 100 --test 20
    python benchmarks/phantom_difficulty.py infarct --cohort DIR   # an existing cohort

Slices of 96 x 96 pixels of about 1.9 mm, 0-80 HU scaled to [-1, 1], MONAI's BasicUNet, Dice +
cross-entropy, Adam with a cosine schedule; Dice per patient in 3D at 0.5, empty cases
left out of the mean and counted. Needs the `train` extra.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from scipy import ndimage

from strokediff.phantom.cohort import write_cohort
from strokediff.util.machine import machine_name

SIZE = 96
FEATURES = (16, 32, 64, 128, 128, 16)


def load(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (Z, 96, 96) in [-1, 1], lesion and brain, at half of 256 pixels a row."""
    folder = path.parent.parent
    image = nib.load(path)
    factor = round(image.shape[0] / 128)
    out = []
    for part in ("images", "labels", "brain"):
        data = np.asarray(nib.load(folder / part / path.name).dataobj, dtype=np.float32)
        n = data.shape[0] // factor * factor
        data = data[:n, :n].reshape(n // factor, factor, n // factor, factor, -1).mean((1, 3))
        out.append(data)
    inside = out[2] >= 0.5
    centre = [round(c) for c in ndimage.center_of_mass(inside)[:2]]
    padded = [np.pad(a, [(SIZE, SIZE), (SIZE, SIZE), (0, 0)], mode="edge") for a in out]
    crop = [
        a[c0 : c0 + SIZE, c1 : c1 + SIZE]
        for a in padded
        for c0, c1 in [(centre[0] + SIZE // 2, centre[1] + SIZE // 2)]
    ]
    hu, lesion, brain = (np.moveaxis(a, 2, 0) for a in crop)
    brain = brain >= 0.5
    return np.clip(hu, 0, 80) / 40 - 1, (lesion >= 0.5) & brain, brain


def batch(data: list, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Half of the slices show a lesion; random flips and small changes of grey level."""
    images, labels = [], []
    for i in range(size):
        hu, lesion, brain = data[rng.integers(len(data))]
        wanted = lesion.any((1, 2)) if i % 2 else brain.any((1, 2))
        wanted = wanted if wanted.any() else brain.any((1, 2))
        z = rng.choice(np.flatnonzero(wanted))
        x = hu[z] * brain[z] * rng.normal(1, 0.05) + rng.normal(0, 0.05)
        y = lesion[z]
        if rng.random() < 0.5:
            x, y = x[::-1], y[::-1]
        angle = rng.normal(0, 8)
        x = ndimage.rotate(x, angle, reshape=False, order=1)
        y = ndimage.rotate(y.astype(np.float32), angle, reshape=False, order=1) > 0.5
        images.append(x * 1.0)
        labels.append(y)
    x, y = (torch.from_numpy(np.stack(a).astype(np.float32))[:, None] for a in (images, labels))
    return x, y


def train(data: list, steps: int, seed: int) -> BasicUNet:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=FEATURES)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss_of = DiceCELoss(sigmoid=True, batch=True)
    start = time.perf_counter()
    for step in range(steps):
        x, y = batch(data, rng, 16)
        loss = loss_of(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 249:
            print(
                f"step {step + 1}: loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    return net.eval()


@torch.inference_mode()
def dice(net: BasicUNet, case: tuple) -> tuple[float, int, int]:
    hu, lesion, brain = case
    x = torch.from_numpy((hu * brain).astype(np.float32))[:, None]
    found = (net(x)[:, 0].sigmoid().numpy() > 0.5) & brain
    total = found.sum() + lesion.sum()
    score = 2 * (found & lesion).sum() / total if total else 1.0
    return float(score), int(found.sum()), int(lesion.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("infarct", "hemorrhage"))
    parser.add_argument("--train", type=int, default=100)
    parser.add_argument("--test", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=4000)
    parser.add_argument("--cohort", type=Path)
    options = parser.parse_args()
    folder = options.cohort or Path(tempfile.mkdtemp(prefix="phantom_difficulty_"))
    if options.cohort:
        paths = sorted((folder / "images").glob("*.nii.gz"))
    else:
        paths = write_cohort(
            options.train + options.test,
            options.kind,
            folder,
            options.seed,
            matrix=256,
            empty_fraction=0.0,
        )
    cases = [load(path) for path in paths]
    test = cases[-options.test :]
    net = train(cases[: -options.test][: options.train], options.steps, options.seed)
    results = [dice(net, case) for case in test]
    scores = np.array([r[0] for r in results if r[2]])
    for path, (score, found, true) in zip(paths[-options.test :], results, strict=True):
        print(f"{path.name}: Dice {score:.3f}, voxels found {found}, true {true}")
    print(
        f"{options.kind}: plain U-Net, {min(options.train, len(cases) - options.test)} phantoms, "
        f"{options.steps} steps: Dice mean {scores.mean():.3f}, median {np.median(scores):.3f}, "
        f"sd {scores.std():.3f} on {scores.size} unseen phantoms with a lesion"
    )
    print(f"{machine_name()}, {date.today()}")


if __name__ == "__main__":
    main()
