"""Synonyms from other libraries and texts, for "did you mean".

Spelling finds `learing_rate`; only knowledge finds `lr`. A name is offered only
where it is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Final

_OTHERS: Final[Mapping[str, str]] = {
    # keys
    "activation": "act activation_fn activation_function nonlinearity",
    "layers": "arch architecture model net network block body",
    "batch_size": "batch bs mini_batch_size minibatch",
    "filters": "channels out_channels feature_maps maps features",
    "cost": "criterion loss objective",
    "data": "dataset",
    "backend": "device engine",
    "learning_rate": "eta lr scheduler step_size learn_rate",
    "momentum": "mu heavy_ball polyak",
    "weight_decay": "wd",
    "clip": "clipping gradient_clipping grad_clip clipnorm max_grad_norm",
    "beta1": "betas",
    "rho": "alpha decay decay_rate",
    "learning_rate_decay": "lr_decay decay",
    "epsilon": "eps",
    "damping": "lambda mu",
    "units": (
        "features hidden_size hidden_units hidden neurons nodes out_features n_out embedding_dim "
        "output_dim n_reservoir width"
    ),
    "initializer": "init kernel_initializer weight_initializer weight_init",
    "recurrent_initializer": "hidden_initializer",
    "inputs": "input",
    "frozen": "freeze",
    "epochs": "iterations max_epochs num_epochs steps",
    "duration": "steps total_iters warmup_steps warmup_epochs decay_steps t_max",
    "every": "step_size drop_every",
    "factor": "gamma drop decay decay_rate scale_factor",
    "gamma": "decay decay_rate",
    "floor": "alpha",
    "power": "degree",
    "period": "t_0 first_decay_steps",
    "multiplier": "t_mult",
    "boundaries": "milestones steps",
    "values": "factors",
    "start": "start_factor",
    "then": "after next",
    "rise": "pct_start",
    "initial_divisor": "div_factor",
    "final_divisor": "final_div_factor",
    "momentum_high": "max_momentum",
    "momentum_low": "base_momentum",
    "threshold": "min_delta",
    "patience": "wait",
    "kernel": "kernel_size filter_size receptive_field size",
    "size": "kernel_size pool_size kernel",
    "strength": "lambda lambd lmbda alpha",
    "limit": "max_norm clip_norm clip_value max_value",
    "optimizer": "optim",
    "rate": "p prob probability p_dropout drop",
    "slope": "negative_slope alpha leak",
    "delta": "threshold",
    "label_smoothing": "smoothing",
    "std": "stddev sigma deviation",
    "mean": "loc",
    "low": "minval min",
    "high": "maxval max",
    "lower": "minval min low",
    "upper": "maxval max high",
    "spectral_radius": "rho radius",
    "leak": "leaking_rate leak_rate alpha",
    "washout": "transient burn_in",
    "shift": "center translate translation random_translation random_shift",
    "scale": "affine elementwise_affine zoom random_zoom",
    "axes": "normalized_shape",
    "axis": "dim",
    "shape": "target_shape",
    "times": "count",
    "degrees": "angle max_angle",
    "seed": "random_seed",
    "regularizer": "regularization kernel_regularizer",
    "schedule": "scheduler training train",
    "target": "targets",
    "target_transforms": "targets target_scaling standardize_targets",
    "validation": "validation_split hold_out",
    "folds": "k_fold cross_validation",
    "reconstruct": "autoencoder",
    "pretraining": "rbm restricted_boltzmann_machine contrastive_divergence deep_belief_net dbn",
    "nnctl": "version",
    "monitor": "metric",
    "run": "path",
    "interpolation": "mode",
    "vocabulary": "num_embeddings input_dim vocab_size",
    "return_sequence": "return_sequences",
    "unit_forget_bias": "forget_bias",
    # activations
    "step": "step_lr step_decay staircase heaviside threshold perceptron binary_step hard_limit",
    "linear": "identity none",
    "sigmoid": "logistic",
    "tanh": "hyperbolic_tangent",
    "relu": "rectified_linear rectifier",
    "leaky_relu": "lrelu",
    "elu": "exponential_linear",
    "selu": "scaled_exponential_linear",
    "gelu": "gaussian_error_linear",
    "silu": "swish",
    "softmax": "normalized_exponential",
    # costs
    "quadratic": "l2_loss squared_error half_mse sum_of_squares least_squares sse",
    "mse": "mse_loss mean_squared_error mean_square l2",
    "mae": "l1_loss mean_absolute_error absolute_error l1",
    "cross_entropy": "bce bce_loss bce_with_logits_loss binary_cross_entropy logistic_loss",
    "log_likelihood": (
        "cross_entropy_loss nll nll_loss negative_log_likelihood categorical_crossentropy "
        "sparse_categorical_crossentropy softmax_cross_entropy log_loss"
    ),
    "huber": "huber_loss",
    "hinge": "hinge_embedding_loss margin svm",
    "smooth_l1": "smooth_l1_loss",
    # optimizers
    "sgd": "gradient_descent stochastic_gradient_descent gd vanilla",
    "nesterov": "nag nesterov_accelerated_gradient",
    "adam": "amsgrad",
    "newton": "hessian second_order",
    "hessian_free": "hf truncated_newton newton_cg",
    "lbfgs": "quasi_newton",
    "ridge": "ridge_regression tikhonov least_squares",
    # schedules
    "exponential": "exponential_lr exponential_decay exp exp_decay",
    "polynomial": "polynomial_lr poly linear linear_decay",
    "cosine": "cosine_annealing cosine_annealing_lr cosine_decay",
    "cosine_restarts": "cosine_annealing_warm_restarts cosine_decay_restarts warm_restarts sgdr",
    "warmup": "linear_lr linear_warmup",
    "piecewise": "multi_step multi_step_lr piecewise_constant piecewise_constant_decay",
    "one_cycle": "one_cycle_lr super_convergence",
    "plateau": "reduce_lr_on_plateau reduce_on_plateau",
    "constant": "ones fixed",
    # initializers
    "normal": "random_normal gaussian large_weight_initializer",
    "scaled_normal": "default_weight_initializer",
    "uniform": "random_uniform",
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform glorot xavier",
    "he_normal": "kaiming_normal kaiming he msra",
    "he_uniform": "kaiming_uniform",
    "lecun_normal": "lecun",
    "orthogonal": "orthonormal",
    "reservoir": "echo_state esn",
    # regularizers, bounds on gradients
    "l2": "weight_decay l2_norm ridge tikhonov lambda2",
    "l1": "lasso l1_norm lambda1",
    "elastic": "l1_l2 elastic_net elastic_distortion elastic_transform",
    "max_norm": "max_norm_constraint",
    "global_norm": "clip_grad_norm clip_by_global_norm global_clipnorm",
    "norm": "clip_by_norm clipnorm",
    "value": "clip_by_value clip_grad_value clipvalue clamp",
    # layers
    "dense": "linear fc fully_connected fully_connected_layer affine",
    "conv1d": "convolution1d",
    "conv2d": "conv convolution convolutional conv_pool_layer",
    "conv3d": "convolution3d",
    "conv_transpose1d": "conv1d_transpose",
    "conv_transpose2d": "conv2d_transpose deconv deconvolution transposed_convolution",
    "max_pool": "maxpool1d maxpool2d maxpool3d max_pooling1d max_pooling2d pool pooling subsampling",
    "average_pool": "avg_pool avgpool1d avgpool2d average_pooling1d average_pooling2d mean_pool",
    "global_average_pool": "gap global_pool adaptive_avg_pool adaptive_avg_pool2d",
    "global_max_pool": "gmp adaptive_max_pool adaptive_max_pool2d",
    "batch_norm": "bn batchnorm1d batchnorm2d batch_normalization",
    "layer_norm": "ln layer_normalization",
    "upsample": "unpool interpolate",
    "reshape": "view unflatten",
    "embedding": "lookup lookup_table",
    "rnn": "simple_rnn elman vanilla_rnn recurrent",
    "lstm": "long_short_term_memory",
    "gru": "gated_recurrent_unit",
    "echo_state": "esn reservoir",
    "mask": "masking",
    "dropout": "drop",
    "gaussian_noise": "noise",
    "add": "sum plus",
    "concatenate": "concat cat merge",
    "residual": "skip skip_connection shortcut resnet res_block",
    # metrics, augmentations, transforms
    "accuracy": "acc",
    "top_k": "top_k_accuracy",
    "f1": "f1_score f_score f_measure",
    "precision": "positive_predictive_value",
    "recall": "sensitivity true_positive_rate",
    "roc_auc": "auc auroc",
    "rmse": "root_mean_squared_error",
    "r2": "r2_score r_squared",
    "rotate": "rotation random_rotation",
    "shear": "skew random_shear",
    "flip": "mirror horizontal_flip random_horizontal_flip random_flip",
    "noise": "gaussian_noise",
    "random_crop": "crop",
    "cutout": "random_erasing erase",
    "standardize": "normalize z_score standard_scaler",
    "min_max": "rescale",
    "images": "image_folder",
    # searches
    "halving": "asha successive_halving",
    "tpe": "bayes bayesian bayesian_optimization",
    "gp": "gaussian_process",
    "grid": "grid_search",
    "trials": "max_trials n_trials num_samples",
    "random": "random_search",
    "qmc": "sobol",
    # monitors
    "validation_accuracy": "accuracy test_accuracy val_accuracy val_acc",
    "validation_cost": "cost test_cost val_loss val_cost",
    "train_cost": "train_loss",
    # values
    "cuda": "gpu nvidia",
    "numpy": "interpreter",
    "torch": "pytorch",
    "keras": "tensorflow",
    "book": "nielsen",
    "full": "max all",
}
"""Our names, and what others call the same. Of two that are both allowed the first is meant."""
_LONGEST = 100
"""Characters of a word that may mean a name; finding out takes time that grows with its square."""


@cache
def _by_letters() -> Mapping[str, list[str]]:
    """Our names by the letters alone of what others call them: CamelCase has no underscores."""
    ours: dict[str, list[str]] = {}
    for name, others in _OTHERS.items():
        for other in others.split():
            ours.setdefault(other.replace("_", ""), []).append(name)
    return ours


def suggest(word: str, allowed: Collection[str], near: float = 0.6) -> str:
    """The allowed name that `word` most likely means, "" where none is near. near: 1 for the same letters alone."""
    if len(word) > _LONGEST:
        return ""
    if known := renamed(word, allowed):
        return known
    close = get_close_matches(_plain(word), sorted(allowed), n=1, cutoff=near)
    return close[0] if close else ""


def renamed(word: str, allowed: Collection[str]) -> str:
    """The allowed name that is `word` but for case and dashes, or that others call `word`; "" without one."""
    letters = _letters(word)
    for name in sorted(allowed):
        if name.replace("_", "") == letters:
            return name
    return next((name for name in _by_letters().get(letters, ()) if name in allowed), "")


def ambiguous(word: str) -> bool:
    """True where others call several things `word`, so that its place alone says which is meant."""
    return len(_by_letters().get(_letters(word), ())) > 1


def _letters(word: str) -> str:
    return _plain(word).replace("_", "")


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
