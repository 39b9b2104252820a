from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from any3dis_ros.proposals import objectness
from any3dis_ros.proposals.trees import Trees, shipped


def test_trees_look_up_what_sklearn_fitted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=400)) > 0
    model = GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=0).fit(x, y)
    trees = [t.tree_ for t in model.estimators_[:, 0]]
    size = max(t.node_count for t in trees)

    def table(name: str) -> np.ndarray:
        return np.stack([np.pad(np.ravel(getattr(t, name)).astype(float), (0, size - t.node_count)) for t in trees])

    ours = Trees(
        feature=np.where(table("children_left") > 0, table("feature"), -1).astype(int),
        threshold=table("threshold"),
        left=table("children_left").astype(int),
        right=table("children_right").astype(int),
        value=table("value") * model.learning_rate,
        prior=float(np.log(y.mean() / (1 - y.mean()))),
    )
    np.testing.assert_allclose(ours.probability(x), model.predict_proba(x)[:, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "features"),
    [("objectness", objectness.FEATURES), ("standing", objectness.AMONG)],
)
def test_the_shipped_trees_are_sound(name, features):
    trees = shipped(name, features)
    assert trees.feature.max() < len(features)
    assert (trees.left[trees.feature >= 0] > 0).all()
    assert (trees.right[trees.feature >= 0] > 0).all()
    p = trees.probability(np.random.default_rng(1).normal(size=(50, len(features))))
    assert ((p > 0) & (p < 1)).all()


def test_trees_of_other_features_are_refused():
    with pytest.raises(RuntimeError, match=r"objectness.json was fitted on other features; run benchmarks/fit_obj"):
        shipped("objectness", ("score",))


def test_what_is_written_is_what_is_read(tmp_path, monkeypatch):
    trees = shipped("objectness", objectness.FEATURES)
    (tmp_path / "own.json").write_text(trees.to_json(objectness.FEATURES, ["room1"]))
    monkeypatch.setattr("any3dis_ros.proposals.trees.resources.files", lambda package: tmp_path)
    read = shipped("own", objectness.FEATURES)
    x = np.random.default_rng(0).normal(size=(20, len(objectness.FEATURES)))
    np.testing.assert_array_equal(read.probability(x), trees.probability(x))
