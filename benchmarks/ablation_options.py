"""What is each of our options worth? SDPM, and SDPM with one thing changed.

    python benchmarks/ablation_options.py --data COHORT -o DIR [--steps N] [--seeds 0 1 2]
                                          [--arms sdpm mirror ...] [--preset tiny] [--patch 2]
                                          [--methods avg sal infer all]

Options are chosen by this, so give it a cohort without test patients (`strokediff prepare --test
0`): the figures then are of the validation patients. `sdpm` is the preset itself. See `ablation.py`
for what is compared and how.
"""

from __future__ import annotations

from ablation import run

ARMS = {
    "sdpm": [],
    "mirror": ["network.mirror=true"],
    "neighbours": ["network.neighbours=1"],
    "mirror-neighbours": ["network.mirror=true", "network.neighbours=1"],
    "clean-only": ["time_sampler=clean"],
    "uniform-times": ["time_sampler=uniform"],
    "more-lesion": ["lesion_share=0.75"],
    "wider": ["network.base=24"],
}

if __name__ == "__main__":
    run(ARMS, __doc__)
