"""The learners that compete, by name: how each is built, and what a search may vary.

A name stands for one learner per kind of pipeline. The first of a kind's defaults is the cheapest,
so that a search that is cut short has something to answer with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.trainer.core.preprocessing import boosting_pipeline, columns_of, river_pipeline, sklearn_pipeline
from shared.errors import Misconfigured
from shared.models.metadata import Input

Parameters = dict[str, Any]

TARGET_SCALE = "target_scale"
"""The parameter that fitting adds: the target's standard deviation, 1 where it has none."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A number that a search may vary, between `low` and `high` inclusive."""

    default: float
    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One learner. `build(inputs, parameters, seed)` gives it unfitted, preprocessing included."""

    name: str
    library: Literal["sklearn", "river"]
    build: Callable[[Sequence[Input], Parameters, int], Any]
    space: Mapping[str, Knob] = field(default_factory=dict)

    @property
    def defaults(self) -> Parameters:
        return {name: int(knob.default) if knob.whole else knob.default for name, knob in self.space.items()}


_CLASSES = (
    "logistic",
    "online-logistic",
    "river-logistic",
    "hist-gradient-boosting",
    "random-forest",
    "river-adaptive-tree",
)
DEFAULTS: dict[str, tuple[str, ...]] = {
    "binary": _CLASSES,
    "multiclass": _CLASSES,
    "regression": ("ridge", "online-linear", "river-linear", "hist-gradient-boosting", "random-forest", "river-tree"),
    "anomaly": (
        "isolation-forest",
        "gaussian-mixture",
        "river-half-space-trees",
        "elliptic-envelope",
        "river-one-class-svm",
    ),
}


def candidates_for(kind: str, names: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """The candidates by name, or the defaults of the kind; `Misconfigured` names one that is unknown."""
    known = {each.name: each for each in _KNOWN[kind]}
    chosen = tuple(names) or DEFAULTS[kind]
    for name in chosen:
        if name not in known:
            raise Misconfigured(
                f"models.candidates: {name!r} is no candidate of a {kind} pipeline; known are {', '.join(known)}"
            )
    return tuple(known[name] for name in chosen)


def _logistic(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return sklearn_pipeline(inputs, LogisticRegression(C=p["c"], max_iter=300, random_state=seed), scale=True)


def _ridge(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from sklearn.linear_model import Ridge

    return sklearn_pipeline(inputs, Ridge(alpha=p["alpha"], random_state=seed), scale=True)


def _online_logistic(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    """One gradient step a row, in the order of the stream and never smaller: the newest rows tell most.

    For more than two classes one against the rest. scikit-learn's loop is compiled: a hundred times river's rows.
    """
    from sklearn.linear_model import SGDClassifier

    learner = SGDClassifier(
        loss="log_loss", alpha=p["l2"], learning_rate="constant", eta0=p["rate"], **_IN_ORDER, random_state=seed
    )
    return sklearn_pipeline(inputs, learner, scale=True)


def _online_linear(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    """One step a row towards its target, standardised: shorter where the row is long, so that none overshoots.

    PA-II of Crammer et al., "Online Passive-Aggressive Algorithms", 2006, without a margin; also known as
    normalised least mean squares, and as implicit stochastic gradient steps (Toulis and Airoldi, 2017).
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import SGDRegressor
    from sklearn.preprocessing import StandardScaler

    learner = SGDRegressor(
        loss="epsilon_insensitive",
        epsilon=0.0,
        penalty=None,
        learning_rate="pa2",
        eta0=p["c"],
        **_IN_ORDER,
        random_state=seed,
    )
    return sklearn_pipeline(inputs, TransformedTargetRegressor(learner, transformer=StandardScaler()), scale=True)


def _forest(classes: bool) -> Callable[[Sequence[Input], Parameters, int], Any]:
    def build(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if classes else RandomForestRegressor
        forest = kind(
            n_estimators=40,
            max_depth=p["depth"],
            min_samples_leaf=p["leaf"],
            max_features=p["features"],
            n_jobs=1,
            random_state=seed,
        )
        return sklearn_pipeline(inputs, forest, scale=False)

    return build


def _boosting(classes: bool) -> Callable[[Sequence[Input], Parameters, int], Any]:
    def build(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        numbers, categories = columns_of(inputs)
        learner = kind(
            learning_rate=p["rate"],
            max_iter=p["iterations"],
            max_leaf_nodes=p["leaves"],
            l2_regularization=p["l2"],
            categorical_features=list(range(len(categories))) or None,
            early_stopping=False,
            random_state=seed,
        )
        return boosting_pipeline(numbers, categories, learner)

    return build


def _river_logistic(inputs: Sequence[Input], p: Parameters, _: int) -> Any:
    """For more than two classes one against the rest; river's softmax has no form that a predictor would load."""
    from river import linear_model, multiclass, optim, preprocessing

    learner = linear_model.LogisticRegression(optimizer=optim.SGD(p["rate"]), l2=p["l2"])
    return river_pipeline(inputs, multiclass.OneVsRestClassifier(learner), scaler=preprocessing.StandardScaler())


def _river_logistic_binary(inputs: Sequence[Input], p: Parameters, _: int) -> Any:
    from river import linear_model, optim, preprocessing

    learner = linear_model.LogisticRegression(optimizer=optim.SGD(p["rate"]), l2=p["l2"])
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())


def _river_linear(inputs: Sequence[Input], p: Parameters, _: int) -> Any:
    """AdaGrad steps do not depend on the errors' scale, so the rate is given in standard deviations of the target."""
    from river import linear_model, optim, preprocessing

    learner = linear_model.LinearRegression(optimizer=optim.AdaGrad(p["rate"] * p[TARGET_SCALE]), l2=p["l2"])
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())


def _river_adaptive_tree(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from river import preprocessing, tree

    learner = tree.HoeffdingAdaptiveTreeClassifier(grace_period=p["grace"], delta=p["delta"], seed=seed)
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())


def _river_tree(inputs: Sequence[Input], p: Parameters, _: int) -> Any:
    from river import preprocessing, tree

    learner = tree.HoeffdingTreeRegressor(grace_period=p["grace"], delta=p["delta"])
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())


def _isolation_forest(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=p["trees"], max_samples=p["sample"], n_jobs=1, random_state=seed)
    return sklearn_pipeline(inputs, forest, scale=True)


def _elliptic_envelope(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from sklearn.covariance import EllipticEnvelope

    envelope = EllipticEnvelope(support_fraction=p["support"], random_state=seed)
    return sklearn_pipeline(inputs, envelope, scale=True)


def _gaussian_mixture(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(n_components=p["components"], reg_covar=1e-3, random_state=seed)
    return sklearn_pipeline(inputs, mixture, scale=True)


def _half_space_trees(inputs: Sequence[Input], p: Parameters, seed: int) -> Any:
    from river import anomaly, preprocessing

    trees = anomaly.HalfSpaceTrees(n_trees=p["trees"], height=p["height"], window_size=p["window"], seed=seed)
    return river_pipeline(inputs, trees, scaler=preprocessing.MinMaxScaler())


def _one_class_svm(inputs: Sequence[Input], p: Parameters, _: int) -> Any:
    from river import anomaly, preprocessing

    return river_pipeline(inputs, anomaly.OneClassSVM(nu=p["nu"]), scaler=preprocessing.StandardScaler())


_IN_ORDER: dict[str, Any] = {"shuffle": False, "max_iter": 1, "tol": None}
_FOREST = {
    "depth": Knob(12, 3, 20, whole=True),
    "leaf": Knob(3, 1, 30, log=True, whole=True),
    "features": Knob(0.6, 0.2, 1.0),
}
_BOOSTING = {
    "rate": Knob(0.1, 0.02, 0.3, log=True),
    "iterations": Knob(60, 20, 150, whole=True),
    "leaves": Knob(15, 4, 31, log=True, whole=True),
    "l2": Knob(0.1, 1e-3, 10.0, log=True),
}
_SGD = {"rate": Knob(0.05, 1e-3, 0.5, log=True), "l2": Knob(1e-4, 1e-6, 1e-1, log=True)}
_TREE = {"grace": Knob(100, 20, 400, log=True, whole=True), "delta": Knob(1e-5, 1e-8, 1e-2, log=True)}

_LINEAR = {"rate": Knob(0.3, 0.01, 3.0, log=True), "l2": Knob(1e-4, 1e-6, 1e-1, log=True)}

_SHARED_BY_CLASSES = (
    Candidate("logistic", "sklearn", _logistic, {"c": Knob(1.0, 1e-3, 100.0, log=True)}),
    Candidate("online-logistic", "sklearn", _online_logistic, _SGD),
    Candidate("hist-gradient-boosting", "sklearn", _boosting(True), _BOOSTING),
    Candidate("random-forest", "sklearn", _forest(True), _FOREST),
    Candidate("river-adaptive-tree", "river", _river_adaptive_tree, _TREE),
)
_KNOWN: dict[str, tuple[Candidate, ...]] = {
    "binary": (*_SHARED_BY_CLASSES, Candidate("river-logistic", "river", _river_logistic_binary, _SGD)),
    "multiclass": (*_SHARED_BY_CLASSES, Candidate("river-logistic", "river", _river_logistic, _SGD)),
    "regression": (
        Candidate("ridge", "sklearn", _ridge, {"alpha": Knob(1.0, 1e-3, 1e3, log=True)}),
        Candidate("online-linear", "sklearn", _online_linear, {"c": Knob(0.002, 1e-4, 0.1, log=True)}),
        Candidate("river-linear", "river", _river_linear, _LINEAR),
        Candidate("hist-gradient-boosting", "sklearn", _boosting(False), _BOOSTING),
        Candidate("random-forest", "sklearn", _forest(False), _FOREST),
        Candidate("river-tree", "river", _river_tree, _TREE),
    ),
    "anomaly": (
        Candidate(
            "isolation-forest",
            "sklearn",
            _isolation_forest,
            {"trees": Knob(60, 30, 120, whole=True), "sample": Knob(256, 64, 512, log=True, whole=True)},
        ),
        Candidate("gaussian-mixture", "sklearn", _gaussian_mixture, {"components": Knob(4, 1, 12, whole=True)}),
        Candidate(
            "river-half-space-trees",
            "river",
            _half_space_trees,
            {
                "trees": Knob(15, 5, 30, whole=True),
                "height": Knob(8, 5, 10, whole=True),
                "window": Knob(250, 100, 500, log=True, whole=True),
            },
        ),
        Candidate("elliptic-envelope", "sklearn", _elliptic_envelope, {"support": Knob(0.9, 0.6, 1.0)}),
        Candidate("river-one-class-svm", "river", _one_class_svm, {"nu": Knob(0.1, 0.01, 0.5, log=True)}),
    ),
}
