"""Laws of what is put into a head: the scan stays outside, its noise inside, truth is true."""

from dataclasses import replace

import numpy as np
import pytest

from strokediff.phantom.backgrounds.decoys import (
    Calcification,
    DenseVessel,
    Leukoaraiosis,
    OldInfarct,
)
from strokediff.phantom.backgrounds.extraaxial import Epidural, Subdural
from strokediff.phantom.backgrounds.field import put
from strokediff.phantom.backgrounds.fluid import Subarachnoid, Ventricular
from strokediff.phantom.backgrounds.infarct import draw_infarcts
from strokediff.phantom.backgrounds.parenchymal import Contusions, Haematoma

BLEEDS = (Haematoma, Contusions, Ventricular, Subarachnoid, Subdural, Epidural)
DECOYS = (OldInfarct, Leukoaraiosis, Calcification, DenseVessel)


def drawn(kind, seed=1):
    """A finding as it is drawn; subdural blood may be old and dark, which is not asked for here."""
    finding = kind.draw(np.random.default_rng(seed))
    return replace(finding, clot_hu=60.0) if kind is Subdural else finding


def plain_infarct(**changes):
    """An infarct that lowers everything by the same."""
    first = draw_infarcts(np.random.default_rng(3))[0]
    quiet = {"uneven": 0.0, "contrast_loss": 0.0, "effacement": 0.0, "swelling_mm": 0.0}
    plain = {"territory": "mca", "volume_ml": 40.0, "delta_hu": -10.0, "edge_mm": 3.0}
    return replace(first, **{**quiet, **plain, **changes})


def plain_haematoma(**changes):
    plain = {"site": "lobar", "volume_ml": 30.0, "clot_hu": 65.0, "uneven_hu": 0.0, "rim_hu": 0.0}
    return replace(drawn(Haematoma), **{**plain, "swelling_mm": 0.0, "edge_mm": 1.0, **changes})


@pytest.mark.parametrize("kind", BLEEDS)
def test_a_bleed_is_marked_where_it_is_bright(head, kind):
    """Its label lies in the brain and is brighter than it was; the scan's values far off stay."""
    finding = drawn(kind)
    made = put(head, (finding,), None)
    marked = made.label == 2
    assert marked.any()
    assert set(np.unique(made.label)) == {0, 2}
    assert not (marked & ~head.inside).any()
    assert (made.hu - head.hu)[marked].mean() > 8
    assert made.volumes_ml[0] > 0
    outside = ~head.inside & (head.hu > 200)
    assert np.array_equal(made.hu[outside], head.hu[outside])


@pytest.mark.parametrize("kind", DECOYS)
def test_a_decoy_changes_the_scan_and_is_not_marked(head, kind):
    """What is no lesion has no label."""
    made = put(head, (drawn(kind),), None)
    assert not made.label.any()
    assert made.volumes_ml == (0.0,)
    assert (made.hu != head.hu).any()


def test_nothing_is_nothing(head):
    """Without findings the scan is what it was, to the bit."""
    made = put(head, (), None)
    assert np.array_equal(made.hu, head.hu)
    assert not made.label.any()


def test_six_infarcts_of_ten_are_hours_old():
    """Darker by -1.5 to -8 HU within a day, by -6 to -15 later; satellites are no darker."""
    heads = [draw_infarcts(np.random.default_rng(seed)) for seed in range(800)]
    first = np.array([found[0].delta_hu for found in heads])
    assert -15 <= first.min() < -13 and -2.5 < first.max() <= -1.5
    assert np.mean(first >= -6) == pytest.approx(0.6 * 0.82, abs=0.05)
    assert all(one.delta_hu >= found[0].delta_hu for found in heads for one in found)


def test_an_infarct_lowers_by_what_was_drawn(head):
    """The mean change inside is delta, in tissue; outside the soft edge nothing changes."""
    infarct = plain_infarct()
    shape = infarct.shape(head, None)
    made = put(head, (infarct,), None)
    core = head.grid.to_native(head.grid.to_slices(shape.mask)) > 0.98
    tissue = core & (head.grid.to_native(head.fluid) < 0.1)
    assert (made.hu - head.hu)[tissue].mean() == pytest.approx(-10.0, abs=1.0)
    outside = head.grid.to_native(head.grid.to_slices(shape.mask)) == 0
    assert np.array_equal(made.hu[outside], head.hu[outside])
    assert made.volumes_ml[0] == pytest.approx(40.0, rel=0.1)


def test_a_scar_is_darker_than_any_infarct(head):
    """An old infarct has the HU that was drawn, from fluid's on, and is marked by nobody."""
    old = drawn(OldInfarct)
    assert all(0 <= drawn(OldInfarct, seed=k).above_fluid_hu <= 12 for k in range(50))
    old = replace(old, territory="mca", volume_ml=30.0, edge_mm=1.0, above_fluid_hu=9.0)
    made = put(head, (old,), None)
    core = head.grid.to_native(head.grid.to_slices(old.shape(head, None).mask)) > 0.98
    assert made.hu[core].mean() == pytest.approx(head.csf_hu + 9.0, abs=1.0)
    assert not made.label.any()


def test_contrast_goes(head):
    """With all contrast lost, grey and white matter inside differ less than before."""
    infarct = plain_infarct(contrast_loss=1.0, volume_ml=80.0)
    shape = infarct.shape(head, None)
    made = put(head, (infarct,), None)
    core = head.grid.to_slices(shape.mask) > 0.98
    core &= head.fluid < 0.1
    before = np.std((head.local - head.around)[core])
    after = np.std(head.grid.blocks(made.hu)[core] - head.around[core])
    raw = np.std(head.grid.blocks(head.hu)[core] - head.around[core])
    assert after < raw
    assert before > 0


def test_a_clot_has_its_hu_and_the_scans_noise(head):
    """Inside: the drawn mean, and noise like that of the scan around."""
    clot = plain_haematoma()
    shape = clot.shape(head, None)
    made = put(head, (clot,), None)
    core = head.grid.to_native(head.grid.to_slices(shape.mask)) > 0.98
    assert made.hu[core].mean() == pytest.approx(65.0, abs=1.5)
    before = head.hu - head.grid.to_native(head.local)
    quiet = core & (np.abs(before) < 2 * head.noise_hu)
    assert np.std(made.hu[quiet]) == pytest.approx(np.std(before[quiet]), rel=0.1)
    assert made.volumes_ml[0] == pytest.approx(30.0, rel=0.1)


def test_the_window_of_a_scan_is_kept(head):
    """An 8-bit scan ends at 100 HU; what is denser does so too."""
    cut = replace(head, hu=np.clip(head.hu, -20, 100), limits=(-20.0, 100.0))
    made = put(cut, (drawn(Calcification), plain_haematoma(clot_hu=140.0)), None)
    assert made.hu.max() == 100
    assert made.hu.min() >= -20


def test_mass_effect_moves_the_brain_and_not_the_bone(head):
    """A swollen clot pushes tissue beside it; bone stays to the bit."""
    still, moving = plain_haematoma(), plain_haematoma(swelling_mm=5.0)
    quiet, pushed = put(head, (still,), None), put(head, (moving,), None)
    bone = head.hu > 200
    assert np.array_equal(pushed.hu[bone], head.hu[bone])
    beside = (quiet.label == 0) & head.inside
    assert np.abs(pushed.hu - quiet.hu)[beside].mean() > np.abs(quiet.hu - head.hu)[beside].mean()
    assert np.array_equal(pushed.label, quiet.label)


def test_blood_settles_at_the_back(head):
    """Intraventricular blood lies behind the fluid that is left."""
    bleed = replace(drawn(Ventricular), left=0.4, right=0.4, third=False, fourth=False)
    mask = bleed.shape(head, None).mask > 0.5
    filled, all_of_it = np.argwhere(mask), np.argwhere(head.ventricle > 0.5)
    assert filled[:, 1].mean() < all_of_it[:, 1].mean()


def test_extra_axial_blood_lies_under_the_bone(head):
    """A lens of the drawn volume, its voxels nearer to the table than its thickness."""
    lens = replace(drawn(Epidural), volume_ml=20.0, press=0.0, swirl=0.0)
    made = put(head, (lens,), None)
    depth = head.grid.to_native(head.grid.to_slices(head.depth))[made.label == 2]
    assert made.volumes_ml[0] == pytest.approx(20.0, rel=0.25)
    assert np.median(depth) < 12.0


@pytest.mark.parametrize("seed", range(4))
def test_a_large_clot_is_not_cut_straight(head, seed):
    """From its widest section to its ends a lump gets smaller: no face of a box shows."""
    clot = plain_haematoma(volume_ml=60.0, irregularity=0.75, seed=seed)
    area = (clot.shape(head, None).mask > 0.5).sum(axis=(0, 2))
    filled = area[area > 0]
    assert max(filled[0], filled[-1]) < 0.3 * filled.max()


def test_blood_wins_over_an_infarct(head):
    """Where both lie, the label is haemorrhage; both volumes are told."""
    clot = plain_haematoma(site="putamen", side=1)
    made = put(head, (plain_infarct(side=1, volume_ml=150.0), clot), None)
    assert set(np.unique(made.label)) == {0, 1, 2}
    alone = put(head, (clot,), None)
    assert np.array_equal(made.label == 2, alone.label == 2)


def test_a_carried_outline_lies_in_its_territory(head):
    """An outline in MNI space lands where the head has that place."""

    class Cube:
        name = "cube"

        def shape(self, lesion, atlas):
            away = [np.abs(atlas.x - 40), np.abs(atlas.y), np.abs(atlas.z - 20)]
            near = (away[0] < 10) & (away[1] < 10) & (away[2] < 10)
            return near.astype(np.float32)

    infarct = plain_infarct(side=1, jitter_mm=0.0)
    made = put(head, (infarct,), Cube())
    mask = infarct.shape(head, Cube()).mask
    fine = np.argwhere(mask > 0.5).mean(axis=0)
    mni = head.mni @ head.grid.affine @ [*fine, 1]
    assert np.allclose(mni[:3], (40, 0, 20), atol=4.0)
    marked = head.grid.blocks((made.label == 1).astype(np.float32))
    there = np.argwhere(marked > 0.5).mean(axis=0)
    assert np.allclose(there[:2], fine[:2], atol=2.0)
