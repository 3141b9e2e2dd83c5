"""What others call our components and keys: each leads to ours, and none to a name that is no longer there."""

from __future__ import annotations

import pytest

from nnctl.components.registry import components, kinds
from nnctl.spec.catalogue import keys
from nnctl.spec.messages.synonyms import _OTHERS, ambiguous, renamed, suggest


@pytest.mark.parametrize(
    ("kind", "ours", "others"),
    [
        ("activation", "step", "heaviside threshold perceptron"),
        ("activation", "tanh", "hyperbolic_tangent"),
        ("activation", "relu", "ReLU rectifier"),
        ("activation", "leaky_relu", "LeakyReLU lrelu"),
        ("activation", "silu", "SiLU swish"),
        ("cost", "quadratic", "sum_of_squares QuadraticCost least_squares"),
        ("cost", "mse", "MSELoss mean_squared_error l2"),
        ("cost", "cross_entropy", "CrossEntropyCost BCELoss binary_crossentropy logistic_loss"),
        ("cost", "log_likelihood", "CrossEntropyLoss NLLLoss sparse_categorical_crossentropy log_loss"),
        ("cost", "mae", "L1Loss l1"),
        ("optimizer", "sgd", "gradient_descent stochastic-gradient-descent"),
        ("optimizer", "momentum", "heavy_ball"),
        ("optimizer", "nesterov", "nag"),
        ("optimizer", "newton", "hessian newton_raphson"),
        ("optimizer", "hessian_free", "hf truncated_newton"),
        ("optimizer", "lbfgs", "L-BFGS bfgs quasi_newton"),
        ("schedule", "step", "StepLR step_decay"),
        ("schedule", "polynomial", "linear PolynomialDecay"),
        ("schedule", "cosine_restarts", "sgdr warm_restarts CosineDecayRestarts"),
        ("schedule", "warmup", "LinearLR warm_up"),
        ("schedule", "piecewise", "MultiStepLR PiecewiseConstantDecay"),
        ("schedule", "plateau", "ReduceLROnPlateau"),
        ("initializer", "normal", "gaussian RandomNormal large_weight_initializer"),
        ("initializer", "scaled_normal", "default_weight_initializer"),
        ("initializer", "glorot_uniform", "xavier"),
        ("initializer", "he_normal", "kaiming msra"),
        ("regularizer", "l2", "weight_decay ridge tikhonov"),
        ("regularizer", "l1", "lasso"),
        ("regularizer", "elastic", "L1L2 elastic_net"),
        ("clipping", "global_norm", "clip_grad_norm_ global_clipnorm"),
        ("layer", "dense", "Linear fully_connected FullyConnectedLayer affine"),
        ("layer", "conv2d", "convolution ConvPoolLayer"),
        ("layer", "conv_transpose2d", "deconvolution ConvTranspose2d"),
        ("layer", "max_pool", "pooling MaxPool2d subsampling"),
        ("layer", "average_pool", "mean_pool AvgPool2d"),
        ("layer", "global_average_pool", "gap AdaptiveAvgPool2d"),
        ("layer", "echo_state", "esn reservoir"),
        ("layer", "lstm", "long_short_term_memory"),
        ("layer", "gaussian_noise", "noise"),
        ("layer", "residual", "skip_connection shortcut"),
        ("metric", "f1", "f1_score F1Score"),
        ("metric", "recall", "sensitivity"),
        ("augmentation", "shift", "translate RandomTranslation"),
        ("augmentation", "shear", "skew"),
        ("augmentation", "elastic", "elastic_distortion"),
        ("augmentation", "flip", "mirror RandomHorizontalFlip"),
        ("transform", "standardize", "z_score StandardScaler"),
    ],
)  # fmt: skip
def test_what_others_call_a_component_leads_to_it(kind: str, ours: str, others: str) -> None:
    assert {other: suggest(other, components(kind)) for other in others.split()} == dict.fromkeys(others.split(), ours)


def test_every_name_that_is_offered_is_there() -> None:
    ours = {name for kind in kinds() for name in components(kind)} | {key.field.name for key in keys()}
    columns_and_values = {"validation_accuracy", "validation_cost", "train_cost", "torch", "keras", "book", "full"}
    assert set(_OTHERS) - ours == columns_and_values


def test_no_row_says_a_thing_twice() -> None:
    for name, others in _OTHERS.items():
        letters = [other.replace("_", "") for other in others.split()]
        assert len({*letters, name.replace("_", "")}) == len(letters) + 1, name


def test_the_place_tells_what_an_ambiguous_word_means() -> None:
    assert ambiguous("gamma") is False
    assert ambiguous("decay")
    assert renamed("decay", ["rho", "epsilon"]) == "rho"
    assert renamed("decay", ["gamma", "per"]) == "gamma"
    assert renamed("decay", ["units"]) == ""
