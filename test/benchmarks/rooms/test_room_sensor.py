"""The sensor's errors have the size that its documentation states."""

import numpy as np
import pytest

from benchmarks.rooms.rendering import View
from benchmarks.rooms.sensor import RAW_UNIT, SensorModel, measure_color, measure_depth

SHAPE = (240, 320)


def flat(z: float, cosine: float = 1.0) -> View:
    return View(
        np.full(SHAPE, z, np.float32),
        np.ones(SHAPE, np.int32),
        np.full(SHAPE, cosine, np.float32),
        np.zeros(SHAPE, bool),
        np.full((*SHAPE, 3), 0.5, np.float32),
    )


@pytest.mark.parametrize("z", [0.8, 1.55, 2.3, 3.9])
def test_axial_noise_grows_with_the_square_of_depth(z):
    model = SensorModel()
    # Different true depths average over where z lies between two raw units.
    draws = [
        measure_depth(flat(d), model, np.random.default_rng(k)) / 1000.0 - d
        for k, d in enumerate(np.linspace(0.99 * z, 1.01 * z, 12))
    ]
    error = np.concatenate([d.ravel() for d in draws])
    assert abs(error.mean()) < 0.15 * model.depth_sigma(z)
    assert np.std(error) == pytest.approx(float(model.depth_sigma(z)), rel=0.08)


def test_depth_is_quantised_in_disparity():
    depth = measure_depth(flat(3.0), SensorModel(), np.random.default_rng(0))
    levels = np.unique(depth)
    raw = 1000 / (RAW_UNIT * levels)
    assert len(levels) < 10
    np.testing.assert_allclose(raw, np.rint(raw), atol=0.03)
    assert np.diff(levels).min() > 0.9 * 1000 * RAW_UNIT * 2.7**2


def test_noise_is_correlated_over_the_window():
    model = SensorModel(disparity_sigma=3.0)  # far above the rounding
    error = measure_depth(flat(2.0), model, np.random.default_rng(1)) - 2000.0
    sigma = model.correlation_px * SHAPE[1] / 640
    for lag in (1, 2, 3):
        found = (error[:, lag:] * error[:, :-lag]).mean() / error.var()
        assert found == pytest.approx(np.exp(-(lag**2) / (4 * sigma**2)), abs=0.06)


def test_range_and_grazing_angles_are_lost():
    model = SensorModel()
    for z in (0.3, 5.2):
        assert (measure_depth(flat(z), model, np.random.default_rng(0)) == 0).all()
    valid = [
        (measure_depth(flat(2.0, cosine), model, np.random.default_rng(0)) > 0).mean()
        for cosine in (0.05, 0.15, 0.3, 1.0)
    ]
    assert valid[0] == 0
    assert valid[1] == pytest.approx(0.5, abs=0.05)
    assert valid[2:] == [1.0, 1.0]


def test_edges_lose_the_stated_share_and_only_they_jitter():
    model = SensorModel(disparity_sigma=0.0)
    view = flat(2.0)
    view.depth[:, 160:] = 3.0
    depth = measure_depth(view, model, np.random.default_rng(0))
    lost = (depth == 0).mean(axis=0)
    assert lost[157:164].sum() == pytest.approx(2 * model.edge_dropout, abs=0.5)
    assert (lost[:150] == 0).all()
    assert (lost[170:] == 0).all()
    assert len(np.unique(depth[:, :150])) == 1


def test_shadow_has_no_depth():
    view = flat(2.0)
    view.shadow[:, :20] = True
    depth = measure_depth(view, SensorModel(), np.random.default_rng(0))
    assert (depth[:, :20] == 0).all()
    assert (depth[:, 20:] > 0).all()


def test_an_ideal_sensor_returns_the_truth():
    model = SensorModel(
        disparity_sigma=0.0,
        lateral_px=0.0,
        edge_dropout=0.0,
        grazing=(0.0, 0.0),
        color_noise=0.0,
        blur_px=0.0,
        exposure=0.0,
    )
    view = flat(1.234)
    view.depth[:, 160:] = 2.5
    depth = measure_depth(view, model, np.random.default_rng(0))
    np.testing.assert_array_equal(depth, np.rint(view.depth * 1000))
    color = measure_color(view.color, model, 0.0, np.random.default_rng(0))
    assert abs(int(color[120, 160, 0]) - 127) <= 1


def test_color_noise_has_the_stated_size():
    model = SensorModel()
    color = measure_color(np.full((*SHAPE, 3), 0.5, np.float32), model, 0.0, np.random.default_rng(0))[100:140, 140:180]
    assert color.astype(float).std(axis=(0, 1)).mean() == pytest.approx(model.color_noise, rel=0.1)
