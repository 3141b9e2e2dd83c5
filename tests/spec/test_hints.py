"""Values as people write them at first, as other libraries have them, and the fix that each is told."""

from __future__ import annotations

import re

import pytest

from nnctl.components.base import DataSource
from nnctl.components.registry import components, kinds
from nnctl.errors import Diagnostic, SpecError
from nnctl.spec.load import load_text

KEYS = {
    "data": "digits",
    "layers": "[flatten, {type: dense, units: 10, activation: softmax}]",
    "cost": "log_likelihood",
}


def problems(key: str, value: str) -> tuple[Diagnostic, ...]:
    """All that is wrong with a spec in which one key has this value."""
    with pytest.raises(SpecError) as caught:
        load_text("".join(f"{k}: {v}\n" for k, v in {**KEYS, key: value}.items()))
    return caught.value.diagnostics


def dense(fields: str) -> str:
    return f"[flatten, {{type: dense, units: 10, {fields}}}]"


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        # a number, a word or a list where a mapping is wanted
        ("schedule", "{early_stopping: 5}", "write {patience: 5}"),
        ("schedule", "{early_stopping: true}", "write {}"),
        ("schedule", "{early_stopping: yes}", "write {}"),
        ("schedule", "{early_stopping: false}", "write null for none"),
        ("schedule", "{early_stopping: train_cost}", "write {monitor: train_cost}"),
        ("schedule", "30", "write {epochs: 30}"),
        ("schedule", "30 epochs", "write {epochs: 30}"),
        ("schedule", "cosine", "'cosine' is a schedule: write learning_rate: cosine inside the mapping"),
        ("sweep", "20", "write {trials: 20}"),
        ("from", "../runs/first", "write {run: ../runs/first}"),
        ("pretraining", "[dense1]", "write {layers: [dense1]}"),
        ("pretraining", "true", ""),
        # a number where a component is wanted
        ("regularizer", "0.01", "write {type: l2, strength: 0.01}"),
        ("initializer", "0.1", "write {type: normal, std: 0.1}"),
        ("optimizer", "0.1", "write {type: sgd, learning_rate: 0.1}"),
        ("optimizer", "{type: sgd, clip: 1.0}", "write {type: global_norm, limit: 1.0}"),
        ("backend", "4", "write {type: cpu, threads: 4}"),
        ("layers", "[64]", "write {type: dense, units: 64}"),
        ("layers", "64", "write a list: [{type: dense, units: 64}]"),
        ("cost", "0.5", ""),
        ("metrics", "5", ""),
        ("schedule", "{learning_rate: 0.1}", "a number for 'learning_rate' belongs in 'optimizer'"),
        ("optimizer", "{type: sgd, learning_rate: cosine}",
         "'cosine' is a schedule: write schedule: {learning_rate: cosine}"),
        ("sweep", "{trials: 3, space: {seed: [1, 2]}}", "write {type: choice, values: [1, 2]}"),
        # a component as a key
        ("optimizer", "{adam: {lr: 0.1}}", "write {type: adam, learning_rate: 0.1}"),
        ("optimizer", "{Adam: {lr: 0.1}}", "write {type: adam, learning_rate: 0.1}"),
        ("regularizer", "{l2: 0.01}", "write {type: l2, strength: 0.01}"),
        ("regularizer", "{l1: 0.1, l2: 0.01}", "these keys fit type: elastic"),
        ("cost", "{mse: {}}", "write mse"),
        ("initializer", "{normal: 0.1}", "write {type: normal, mean: …, std: …}"),
        ("layers", "[{dense: 30}]", "write {type: dense, units: 30}"),
        ("layers", "{dense: 30, relu: null}", "put a dash before each item: '- type: …'"),
        ("layers", "{flatten: null, dense: 30}", "write a list: [flatten, {type: dense, units: 30}]"),
        ("layers", "{a: {type: dense, units: 3}, b: {type: dense, units: 10}}",
         "write a list: [{name: a, type: dense, …}, {name: b, type: dense, …}]"),
        ("metrics", "{f1: true}", "write a list: [f1]"),
        ("metrics", "f1", "write a list: [f1]"),
        ("data", "{type: digits, augment: {rotate: 10}}", "write a list: [{type: rotate, degrees: 10}]"),
        ("data", "{type: digits, augment: rotate}", "write a list: [rotate]"),
        ("data", "{type: digits, augment: true}", ""),
        # what has no equal of the same meaning
        ("schedule", "{learning_rate: {type: cosine, eta_min: 1e-5}}",
         "write floor, a factor of the optimizer's learning rate: eta_min divided by that"),
        ("schedule", "{learning_rate: {type: plateau, min_lr: 1e-5}}",
         "write floor, a factor of the optimizer's learning rate: min_lr divided by that"),
        ("layers", dense("trainable: false"), "write frozen: true for trainable: false"),
        ("layers", dense("alpha: 0.1"), ""),
        ("layers", "[{type: rbm, units: 30}]",
         "a Boltzmann machine is a dense layer with activation: sigmoid and a name, "
         "under which pretraining: {layers: […]} lists it"),
        # a component, or part of one, under a key of its own
        ("layers", dense("l2: 0.1"), "write regularizer: {type: l2, strength: 0.1}"),
        ("layers", dense("relu: true"), "write activation: relu"),
        ("layers", dense("dropout: 0.5"),
         "'dropout' is a layer: write {type: dropout, rate: 0.5} as the next item of the list"),
        ("data", "{type: digits, standardize: true}", "write transforms: [standardize]"),
        ("data", "{type: digits, normalize: true}", "write transforms: [standardize]"),
        ("sweep", "{optimizer.learning_rate: [0.1, 1.0]}", "write grid: {optimizer.learning_rate: [0.1, 1.0]}"),
        ("sweep", "{grid: [0.1]}", ""),
        # a file where a data source is wanted
        ("data", "mnist.npz", "write {type: npz, path: mnist.npz}"),
        ("data", "tables/houses.CSV", "write {type: table, path: tables/houses.CSV, target: …}"),
        ("data", "photos/", "write {type: images, path: photos/}"),
        ("data", "tale.txt", "write {type: text, path: tale.txt}"),
        # numbers with a unit
        ("data", "{type: digits, validation: 20%}", "write 0.2"),
        ("data", "{type: digits, validation: 100 examples}", "write 100"),
        ("schedule", "{epochs: 30 epochs}", "write 30"),
        ("schedule", "{epochs: 0 epochs}", ""),
        ("schedule", "{batch_size: 10%}", ""),
        # as PyTorch and Keras spell it
        ("layers", dense("activation: ReLU"), "did you mean 'relu'?"),
        ("layers", dense("activation: nn.LeakyReLU"), "did you mean 'leaky_relu'?"),
        ("layers", "[{type: nn.Flatten}]", "did you mean 'flatten'?"),
        ("layers", "[dense(30)]", "write {type: dense, …}"),
        ("optimizer", "torch.optim.SGD(lr=0.1)", "write {type: sgd, …}"),
        ("cost", "CrossEntropyLoss", "did you mean 'log_likelihood'?"),
        ("cost", "nn.MSELoss", "did you mean 'mse'?"),
        ("cost", "BCEWithLogitsLoss", "did you mean 'cross_entropy'?"),
        ("initializer", "kaiming_uniform", "did you mean 'he_uniform'?"),
        ("initializer", "HeNormal", "did you mean 'he_normal'?"),
        ("schedule", "{learning_rate: ReduceLROnPlateau}", "did you mean 'plateau'?"),
        ("schedule", "{learning_rate: CosineAnnealingLR}", "did you mean 'cosine'?"),
        ("metrics", "[acc]", "did you mean 'accuracy'?"),
        ("schedule", "{epochs: 4, learning_rate: {type: piecewise, steps: [2], boundaries: [2], values: [1, 0.1]}}",
         "did you mean 'rates'?"),
        # what is there already is not meant
        ("data", "{type: csv, path: x.csv, targets: y, target: y}", "did you mean 'target_transforms'?"),
        ("layers", dense("in_features: 64"), "remove it: the size of an input is that of what comes before"),
        ("layers", "[{type: dropout, keep_prob: 0.5}]", "write rate, the share that is dropped: 1 − keep_prob"),
        ("schedule", "{early_stopping: {mode: max}}", "remove it: of each column it is known whether more is better"),
    ],
)  # fmt: skip
def test_the_fix_is_named(key: str, value: str, hint: str) -> None:
    (problem,) = problems(key, value)
    assert problem.hint == hint


@pytest.mark.parametrize(
    ("key", "value", "messages"),
    [
        # what the type was meant to be is checked as that
        ("layers", "[{type: Linear, in_features: 64, out_features: 10}]",
         ["there is no layer 'Linear'", "unknown key 'in_features' in layer 'dense'",
          "unknown key 'out_features' in layer 'dense'"]),
        ("layers", "[{type: danse, units: ten, activation: rlu}]",
         ["there is no layer 'danse'", "'units' cannot be the string 'ten'", "there is no activation 'rlu'"]),
        ("optimizer", "{type: Adam, lr: 0.1}",
         ["there is no optimizer 'Adam'", "unknown key 'lr' in optimizer 'adam'"]),
        ("layers", "[{type: residul, layers: [{type: dens, units: 3}]}]",
         ["there is no layer 'residul'", "there is no layer 'dens'"]),
        # unless that is a mere guess
        ("layers", "[{type: attention, heads: 4, frozen: 1}]",
         ["there is no layer 'attention'", "'frozen' cannot be 1"]),
        # fields that mean the same in every candidate that has them are checked where nobody knows which is meant
        ("layers", "[{type: qqq, name: 3, frozen: perhaps, units: x, own: 1}]",
         ["there is no layer 'qqq'", "'name' cannot be 3", "'frozen' cannot be the string 'perhaps'",
          "'units' cannot be the string 'x'"]),
        ("data", "{type: qqq, validation: 1.5, augment: [{type: rotat}], noise: x}",
         ["there is no data source 'qqq'", "'validation' cannot be 1.5", "there is no augmentation 'rotat'",
          "'noise' cannot be the string 'x'"]),
        ("data", "{validation: 1.5, splits: 3}", ["a data source needs a 'type'", "'validation' cannot be 1.5"]),
    ],
)  # fmt: skip
def test_mistakes_inside_a_component_of_unknown_type_are_told_at_once(
    key: str, value: str, messages: list[str]
) -> None:
    assert [problem.message for problem in problems(key, value)] == messages


@pytest.mark.parametrize("kind", [kind for kind in kinds() if next(iter(components(kind).values())).of_number])
def test_the_component_that_a_number_means_takes_it(kind: str) -> None:
    written = next(iter(components(kind).values())).of_number
    assert re.fullmatch(r"\{type: \w+, \w+: …\}", written)
    key = {"layer": "layers", "clipping": "optimizer"}.get(kind, kind)
    value = written.replace("…", "2")
    value = f"[flatten, {value}, {{type: dense, units: 10, activation: softmax}}]" if kind == "layer" else value
    value = f"{{type: sgd, clip: {value}}}" if kind == "clipping" else value
    assert load_text("".join(f"{k}: {v}\n" for k, v in {**KEYS, key: value}.items())).spec


def test_no_two_data_sources_read_files_of_one_ending() -> None:
    endings = [ending for cls in components("data").values() if issubclass(cls, DataSource) for ending in cls.of_files]
    assert len(endings) == len(set(endings))
    assert ".csv" in endings
