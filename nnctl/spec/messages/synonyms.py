"""Synonyms from other libraries and texts, for "did you mean".

Spelling finds `learing_rate`; only knowledge finds `lr`. A row is offered only
where the name it leads to is allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

_NAMES: dict[str, tuple[str, ...]] = {
    # keys
    "act": ("activation",),
    "amsgrad": ("adam",),
    "arch": ("layers",),
    "architecture": ("layers",),
    "batch": ("batch_size",),
    "bs": ("batch_size",),
    "channels": ("filters",),
    "criterion": ("cost",),
    "dataset": ("data",),
    "device": ("backend",),
    "engine": ("backend",),
    "eta": ("learning_rate",),
    "features": ("units",),
    "hidden_size": ("units",),
    "hidden_units": ("units",),
    "init": ("initializer",),
    "input": ("inputs",),
    "iterations": ("epochs",),
    "kernel_initializer": ("initializer",),
    "kernel_size": ("kernel", "size"),
    "lambda": ("strength",),
    "lambd": ("strength",),
    "lmbda": ("strength",),
    "loss": ("cost",),
    "lr": ("learning_rate",),
    "max_epochs": ("epochs",),
    "mini_batch_size": ("batch_size",),
    "minibatch": ("batch_size",),
    "model": ("layers",),
    "net": ("layers",),
    "network": ("layers",),
    "neurons": ("units",),
    "nodes": ("units",),
    "nonlinearity": ("activation",),
    "num_epochs": ("epochs",),
    "objective": ("cost",),
    "optim": ("optimizer",),
    "out_features": ("units",),
    "p": ("rate",),
    "pool_size": ("size",),
    "prob": ("rate",),
    "probability": ("rate",),
    "random_seed": ("seed",),
    "regularization": ("regularizer",),
    "scheduler": ("schedule", "learning_rate"),
    "step_size": ("learning_rate",),
    "milestones": ("boundaries",),
    "steps": ("epochs", "boundaries"),
    "training": ("schedule",),
    "train": ("schedule",),
    "targets": ("target", "target_transforms"),
    "target_scaling": ("target_transforms",),
    "standardize_targets": ("target_transforms",),
    "validation_split": ("validation",),
    "version": ("nnctl",),
    "betas": ("beta1",),
    "metric": ("monitor",),
    "path": ("run",),
    "mode": ("interpolation",),
    "scale_factor": ("factor",),
    "out_channels": ("filters",),
    "weight_initializer": ("initializer",),
    "beta_1": ("beta1",),
    "num_embeddings": ("vocabulary",),
    "input_dim": ("vocabulary",),
    "embedding_dim": ("units",),
    "output_dim": ("units",),
    "return_sequences": ("return_sequence",),
    "beta_2": ("beta2",),
    "eps": ("epsilon",),
    # types
    "acc": ("accuracy",),
    "auc": ("roc_auc",),
    "bce_loss": ("cross_entropy",),
    "bce_with_logits_loss": ("cross_entropy",),
    "cosine_annealing_lr": ("cosine",),
    "cosine_annealing_warm_restarts": ("cosine_restarts",),
    "cosine_decay": ("cosine",),
    "cross_entropy_loss": ("log_likelihood",),
    "exponential_lr": ("exponential",),
    "exponential_decay": ("exponential",),
    "image_folder": ("images",),
    "kaiming_normal": ("he_normal",),
    "kaiming_uniform": ("he_uniform",),
    "l1_loss": ("mae",),
    "mse_loss": ("mse",),
    "multi_step_lr": ("piecewise",),
    "nll_loss": ("log_likelihood",),
    "one_cycle_lr": ("one_cycle",),
    "ones": ("constant",),
    "polynomial_lr": ("polynomial",),
    "random_normal": ("normal",),
    "random_uniform": ("uniform",),
    "reduce_lr_on_plateau": ("plateau",),
    "smooth_l1_loss": ("smooth_l1",),
    "huber_loss": ("huber",),
    "hinge_embedding_loss": ("hinge",),
    "step_lr": ("step",),
    "xavier_normal": ("glorot_normal",),
    "xavier_uniform": ("glorot_uniform",),
    "normalize": ("standardize",),
    "avg_pool": ("average_pool",),
    "avgpool2d": ("average_pool",),
    "average_pooling2d": ("average_pool",),
    "batchnorm1d": ("batch_norm",),
    "batchnorm2d": ("batch_norm",),
    "batch_normalization": ("batch_norm",),
    "bce": ("cross_entropy",),
    "binary_cross_entropy": ("cross_entropy",),
    "bn": ("batch_norm",),
    "categorical_crossentropy": ("log_likelihood",),
    "concat": ("concatenate",),
    "conv": ("conv2d",),
    "conv2d_transpose": ("conv_transpose2d",),
    "conv1d_transpose": ("conv_transpose1d",),
    "deconv": ("conv_transpose2d",),
    "fc": ("dense",),
    "fully_connected": ("dense",),
    "glorot": ("glorot_uniform",),
    "he": ("he_normal",),
    "identity": ("linear",),
    "kaiming": ("he_normal",),
    "l2_loss": ("quadratic",),
    "lecun": ("lecun_normal",),
    "layer_normalization": ("layer_norm",),
    "lookup": ("embedding",),
    "logistic": ("sigmoid",),
    "masking": ("mask",),
    "maxpool": ("max_pool",),
    "maxpool2d": ("max_pool",),
    "max_pooling2d": ("max_pool",),
    "mean_absolute_error": ("mae",),
    "mean_squared_error": ("mse",),
    "negative_log_likelihood": ("log_likelihood",),
    "nll": ("log_likelihood",),
    "none": ("linear",),
    "reduce_on_plateau": ("plateau",),
    "simple_rnn": ("rnn",),
    "elman": ("rnn",),
    "softmax_cross_entropy": ("log_likelihood",),
    "sparse_categorical_crossentropy": ("log_likelihood",),
    "squared_error": ("quadratic",),
    "swish": ("silu",),
    "weight_decay": ("l2",),
    "xavier": ("glorot_uniform",),
    # searches
    "asha": ("halving",),
    "bayes": ("tpe",),
    "bayesian": ("tpe",),
    "bayesian_optimization": ("tpe",),
    "gaussian_process": ("gp",),
    "grid_search": ("grid",),
    "max_trials": ("trials",),
    "n_trials": ("trials",),
    "num_samples": ("trials",),
    "random_search": ("random",),
    "sobol": ("qmc",),
    "successive_halving": ("halving",),
    # layers
    "linear": ("dense",),
    # monitors
    "accuracy": ("validation_accuracy",),
    "cost": ("validation_cost",),
    "test_cost": ("validation_cost",),
    "test_accuracy": ("validation_accuracy",),
    "val_loss": ("validation_cost",),
    "val_cost": ("validation_cost",),
    "val_accuracy": ("validation_accuracy",),
    "val_acc": ("validation_accuracy",),
    "train_loss": ("train_cost",),
    # values
    "gpu": ("cuda",),
    "nvidia": ("cuda",),
    "interpreter": ("numpy",),
    "pytorch": ("torch",),
    "tensorflow": ("keras",),
    "nielsen": ("book",),
    "max": ("full",),
    "all": ("full",),
}


_BY_LETTERS = {name.replace("_", ""): meant for name, meant in _NAMES.items()}
"""The same by their letters alone: CamelCase has no underscores."""
_LONGEST = 100
"""Characters of a word that may mean a name; finding out takes time that grows with its square."""


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
    letters = _plain(word).replace("_", "")
    for name in sorted(allowed):
        if name.replace("_", "") == letters:
            return name
    return next((name for name in _BY_LETTERS.get(letters, ()) if name in allowed), "")


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
