"""Does the noise matter? SDPM without noise, SDPM, and SADPM with four kinds of noise.

    python benchmarks/ablation_noise.py --data COHORT -o DIR [--steps N] [--seeds 0 1 2]
                                        [--arms no-noise sdpm sadpm ...] [--preset tiny]
                                        [--patch 2] [--methods avg sal infer all]

--patch folds pixels into channels before the network, so that a step is cheaper. See `ablation.py`
for what is compared and how.
"""

from __future__ import annotations

from ablation import Arm, run

ARMS = {
    "no-noise": Arm(["time_sampler=clean"]),
    "sdpm": Arm(),
    "sadpm": Arm(["noise.name=fourier", "noise.D=3000"]),
    "calibrated": Arm(["noise.name=calibrated"]),
    "low-rank-0.1": Arm(["noise.name=low-rank", "noise.rank=256", "noise.shrinkage=0.1"]),
    "low-rank-0.5": Arm(["noise.name=low-rank", "noise.rank=256", "noise.shrinkage=0.5"]),
    "low-rank-0.9": Arm(["noise.name=low-rank", "noise.rank=256", "noise.shrinkage=0.9"]),
}

if __name__ == "__main__":
    run(ARMS, __doc__)
