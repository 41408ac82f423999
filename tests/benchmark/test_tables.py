"""Laws: the tables say what the rows hold: the best in bold, real differences marked, misses."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from strokediff.benchmark.results import rows_of_table
from strokediff.benchmark.tables import markdown, to_csv
from strokediff.evaluation.unit import Unit

from .conftest import row
from .test_results import made

ABOUT = {
    "suite": "s", "budget": "tiny", "train": 4, "test": 8, "seeds": [0], "cohort": "c",
    "date": "d", "version": "v",
}  # fmt: skip


def rows():
    scores = {
        "unet": [made("unet", 0, 60)],
        "unetr": [made("unetr", 0, 40)],
        "sdpm": [made("sdpm", 0, 5)],
    }
    return rows_of_table(scores, {n: n.upper() for n in scores}, ["unet", "unetr"])


def test_markdown_marks_the_best_and_what_is_real() -> None:
    text = markdown(rows(), ABOUT)
    overlap = text[text.index("Overlap") : text.index("Shape")]
    line = next(part for part in overlap.splitlines() if part.startswith("| SDPM"))
    dice = line.split("|")[2]
    assert "**⁺ [" in dice
    assert "worse than UNETR" in text
    assert (
        next(p for p in overlap.splitlines() if p.startswith("| UNET |")).split("|")[2].count("⁻")
    )
    # Lower is better in VDP.
    shape = text[text.index("Shape") : text.index("Lesion by lesion")]
    vdp = {p.split("|")[1].strip(): p.split("|")[6] for p in shape.splitlines() if "[" in p}
    assert "**⁺ [" in vdp["SDPM"] and "⁻ [" in vdp["UNET"]
    counts = {part.count("|") for part in overlap.splitlines() if part.startswith("|")}
    assert len(counts) == 1


def test_a_mark_has_the_direction_of_the_test_and_not_of_the_mean() -> None:
    """Worse in eleven patients of twelve, a little; far better in one: on average it is ahead."""
    true = [100 + 10 * i for i in range(12)]
    ours = [(t - 12 - i, t) for i, t in enumerate(true)]
    scores = {
        "unet": [
            row("unet", 0, *((t - 10 - i // 2, t) for i, t in enumerate(true[:-1])), (1, 210))
        ],
        "sdpm": [row("sdpm", 0, *ours[:-1], (210, 210))],
    }
    unet, sdpm = rows_of_table(scores, {"unet": "U", "sdpm": "S"}, ["unet"])
    assert (sdpm.figures["dice"].value or 0) > (unet.figures["dice"].value or 0)
    dice = next(x for x in markdown([unet, sdpm], ABOUT).splitlines() if x.startswith("| S "))
    assert "**⁻ [" in dice.split("|")[2]


def test_missed_patients_are_named() -> None:
    scores = {"a": [row("a", 0, (0, 10), (10, 10))]}
    text = markdown(rows_of_table(scores, {"a": "A"}, []), ABOUT)
    assert "A 1 (mean over seeds)" in text


def test_who_finds_nothing_is_best_in_nothing() -> None:
    scores = {
        "none": [row("none", 0, (0, 10), (0, 0))],
        "some": [row("some", 0, (5, 10), (30, 0))],
    }
    text = markdown(rows_of_table(scores, {"none": "NONE", "some": "SOME"}, []), ABOUT)
    lesions = text[text.index("Lesion by lesion") :].splitlines()
    none, some = (next(x for x in lesions if x.startswith(f"| {n}")) for n in ("NONE", "SOME"))
    assert none.split("|")[3].startswith(" 0.00 ") and some.split("|")[3].startswith(" **0.50**")


def test_times_of_two_machines_are_told_apart() -> None:
    assert "Times: a processor." in markdown(rows(), ABOUT)
    first, *others = rows()
    text = markdown([replace(first, machines=("another",)), *others], ABOUT)
    assert "compare within one only: another (UNET); a processor (UNETR, SDPM)." in text


def test_seeds_of_another_machine_are_named_apart_from_the_times() -> None:
    first, *others = rows()
    text = markdown([replace(first, machines=("a processor", "a GPU")), *others], ABOUT)
    assert "Times: a processor." in text
    assert "Trained elsewhere, other seeds or folds, not in these times: a GPU (UNET)." in text


def test_both_auc_are_named_and_what_was_not_taken_is_a_dash() -> None:
    text = markdown(rows(), ABOUT)
    part = text[text.index("**AUC") : text.index("**Shape")].splitlines()
    assert part[2] == (
        "| method | of the mask, brain | of probabilities, brain | of the mask, image "
        "| of probabilities, image |"
    )
    cells = [cell.strip() for cell in part[4].split("|")[1:-1]]
    assert cells[0] == "UNET" and cells[1] == cells[2] == cells[4] == "-"
    assert cells[3].startswith("0.")
    assert "AUC -: not taken by the version that scored the row." in text


def test_every_row_says_how_many_images_it_saw() -> None:
    first, *others = rows()
    seen = [replace(first, costs={**first.costs, "images": 24_000.0}), *others]
    cost = markdown(seen, ABOUT).split("**Cost**")[1].splitlines()
    place = [cell.strip() for cell in cost[2].split("|")].index("images seen")
    told = [line.split("|")[place].strip() for line in cost[4:7]]
    assert told == ["24,000", "32", "32"]
    table = list(csv.DictReader(io.StringIO(to_csv(seen))))
    assert [float(line["images"]) for line in table] == [24_000, 32, 32]


def test_csv_holds_every_figure() -> None:
    table = list(csv.DictReader(io.StringIO(to_csv(rows()))))
    assert [line["row"] for line in table] == ["unet", "unetr", "sdpm"]
    assert float(table[2]["dice"]) > float(table[0]["dice"])
    assert float(table[2]["dice_low"]) <= float(table[2]["dice"]) <= float(table[2]["dice_high"])
    assert table[1]["dice_p_holm"] == "" and float(table[2]["dice_p_holm"]) < 0.05
    assert float(table[2]["dice_rank_sum"]) > 0 > float(table[2]["vdp_rank_sum"])
    assert float(table[0]["parameters"]) == 1000


def test_csv_escapes_text_that_a_spreadsheet_would_compute_and_no_number() -> None:
    titles = {"unet": "=1+1", "unetr": "@x", "sdpm": "-y"}
    named = [replace(one, title=titles[one.name]) for one in rows()]
    table = list(csv.DictReader(io.StringIO(to_csv(named))))
    assert [line["title"] for line in table] == ["'=1+1", "'@x", "'-y"]
    assert float(table[2]["vdp_rank_sum"]) < 0


def test_without_spacing_everything_is_in_pixels_and_says_so() -> None:
    own = made("a", 0, 10)
    patients = [replace(p, metrics=replace(p.metrics, unit=Unit.PX)) for p in own.patients]
    pixels = rows_of_table({"a": [replace(own, patients=patients)]}, {"a": "A"}, [])
    text = markdown(pixels, ABOUT)
    assert "| HD px | HD95 px |" in text and "mm" not in text
    header = to_csv(pixels).splitlines()[0].split(",")
    assert "hd95_px" in header and "hd95_mm" not in header
