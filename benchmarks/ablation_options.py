"""What is each of our options worth? SDPM, and SDPM with one thing changed.

    python benchmarks/ablation_options.py --data COHORT --hold-out 0.25 -o DIR [--steps N]
                                          [--seeds 0 1 2]
                                          [--arms sdpm mirror ...] [--preset tiny] [--patch 2]
                                          [--methods avg sal infer all]

Options are chosen by this, so `--hold-out` scores a share of the cohort's training patients, and no
test patient is read. `sdpm` is the preset itself. See `ablation.py`
for what is compared and how.
"""

from __future__ import annotations

from ablation import Arm, run

ARMS = {
    "sdpm": Arm(),
    "from-phantoms": Arm(start="phantom-stroke"),
    "from-phantoms-neighbours": Arm(["network.neighbours=1"], start="phantom-stroke"),
    "neighbours": Arm(["network.neighbours=1"]),
    "mirror": Arm(["network.mirror=true"]),
    "mirror-neighbours": Arm(["network.mirror=true", "network.neighbours=1"]),
    "clean-only": Arm(["time_sampler=clean"]),
    "clean-only-dice": Arm(["time_sampler=clean", "loss.dice=5"]),
    "clean-only-max": Arm(["time_sampler=clean", "network.pooling=max"]),
    "max-pooling": Arm(["network.pooling=max"]),
    "uniform-times": Arm(["time_sampler=uniform"]),
    "more-lesion": Arm(["lesion_share=0.75"]),
    "wider": Arm(["network.base=24"]),
}

if __name__ == "__main__":
    run(ARMS, __doc__)
