"""Tables as people have them: scikit-learn's four files, and two that are made like well-known ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PeoplesTable:
    """A table in columns of texts and numbers, None where a cell is missing.

    target: the column to predict. numbers, categories: the inputs that somebody would choose by hand for
    scikit-learn. labelled: whether targets are classes.
    """

    columns: dict[str, list[Any]]
    target: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...] = ()
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.columns[self.target])


def _of_scikit_learn(name: str) -> PeoplesTable:
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    labelled = name != "diabetes"
    names = tuple(map(str, data.feature_names))
    columns: dict[str, list[Any]] = {each: data.data[:, i].tolist() for i, each in enumerate(names)}
    columns["target"] = [str(data.target_names[t]) for t in data.target] if labelled else data.target.tolist()
    return PeoplesTable(columns, "target", names, labelled=labelled)


def titanic(rows: int = 891) -> PeoplesTable:
    """Passengers like those of the Titanic: who survived hangs on sex, class, age and family."""
    rng = np.random.default_rng(1912)
    ticket_class = rng.choice([1, 2, 3], rows, p=[0.24, 0.21, 0.55])
    sex = rng.choice(["male", "female"], rows, p=[0.65, 0.35])
    age = np.clip(rng.normal(38 - 5 * (ticket_class - 1), 14, rows), 0.5, 80).round(1)
    siblings = rng.choice([0, 1, 2, 3, 4], rows, p=[0.68, 0.23, 0.04, 0.03, 0.02])
    parents = rng.choice([0, 1, 2, 3], rows, p=[0.76, 0.13, 0.09, 0.02])
    fare = (rng.lognormal(0, 0.5, rows) * np.array([70, 20, 11])[ticket_class - 1]).round(4)
    port = rng.choice(["S", "C", "Q"], rows, p=[0.72, 0.19, 0.09])
    score = 1.2 + 2.6 * (sex == "female") - 1.1 * (ticket_class - 1) - 0.04 * age - 0.35 * siblings + 0.006 * fare
    score += 1.6 * ((age < 12) & (sex == "male")) + 0.3 * (port == "C") - 1.0 * (siblings + parents > 3)
    survived = _drawn(rng, score)
    last = rng.choice(["Smith", "Braund", "Moran", "Kelly", "Andersson", "Palsson", "Rice"], rows)
    title = np.where(sex == "male", np.where(age < 12, "Master", "Mr"), np.where(age < 21, "Miss", "Mrs"))
    columns = {
        "PassengerId": list(range(1, rows + 1)),
        "Survived": survived.tolist(),
        "Pclass": ticket_class.tolist(),
        "Name": [f"{a}, {b}. William Number {i}" for i, (a, b) in enumerate(zip(last, title, strict=True))],
        "Sex": sex.tolist(),
        "Age": _with_gaps(rng, age, 0.2),
        "SibSp": siblings.tolist(),
        "Parch": parents.tolist(),
        "Ticket": [f"{rng.choice(['A/5', 'PC', 'STON/O2'])} {rng.integers(1_000, 400_000)}" for _ in range(rows)],
        "Fare": fare.tolist(),
        "Cabin": _with_gaps(rng, np.array([f"C{n}" for n in rng.integers(1, 140, rows)]), 0.77),
        "Embarked": _with_gaps(rng, port, 0.003),
    }
    return PeoplesTable(columns, "Survived", ("Pclass", "Age", "SibSp", "Parch", "Fare"), ("Sex", "Embarked"))


def churn(rows: int = 3_000) -> PeoplesTable:
    """Customers of a telephone company, of whom a quarter has left."""
    rng = np.random.default_rng(7043)
    tenure = np.minimum(rng.geometric(0.03, rows), 72)
    contract = rng.choice(["Month-to-month", "One year", "Two year"], rows, p=[0.55, 0.21, 0.24])
    internet = rng.choice(["DSL", "Fiber optic", "No"], rows, p=[0.34, 0.44, 0.22])
    payment = rng.choice(["Electronic check", "Mailed check", "Bank transfer", "Credit card"], rows)
    senior = (rng.random(rows) < 0.16).astype(int)
    partner = rng.choice(["Yes", "No"], rows)
    support = np.where(internet == "No", "No internet service", rng.choice(["Yes", "No"], rows))
    base = np.select([internet == "DSL", internet == "Fiber optic"], [55.0, 85.0], 20.0)
    monthly = (base + rng.normal(0, 8, rows)).round(2)
    total = (monthly * tenure * rng.uniform(0.95, 1.05, rows)).round(2)
    score = -1.3 + 1.5 * (contract == "Month-to-month") - 1.2 * (contract == "Two year") - 0.035 * tenure
    score += 0.9 * (internet == "Fiber optic") - 0.6 * (support == "Yes") + 0.4 * senior
    score += 0.5 * (payment == "Electronic check") + 0.015 * (monthly - 65) - 0.2 * (partner == "Yes")
    score += 0.9 * ((tenure < 6) & (contract == "Month-to-month"))
    days = np.datetime64("2024-01-01") - rng.integers(0, 2_000, rows)
    columns = {
        "customerID": [f"{rng.integers(1_000, 9_999)}-{i:05d}" for i in range(rows)],
        "gender": rng.choice(["Female", "Male"], rows).tolist(),
        "SeniorCitizen": senior.tolist(),
        "Partner": partner.tolist(),
        "tenure": tenure.tolist(),
        "InternetService": internet.tolist(),
        "TechSupport": support.tolist(),
        "Contract": contract.tolist(),
        "PaymentMethod": payment.tolist(),
        "MonthlyCharges": monthly.tolist(),
        "TotalCharges": _with_gaps(rng, total, 0.01),
        "LastContact": [str(day) for day in days],
        "Country": ["US"] * rows,
        "Churn": np.where(_drawn(rng, score) == 1, "Yes", "No").tolist(),
    }
    numbers = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
    categories = ("gender", "Partner", "InternetService", "TechSupport", "Contract", "PaymentMethod")
    return PeoplesTable(columns, "Churn", numbers, categories)


TABLES: dict[str, Callable[[], PeoplesTable]] = {
    "iris": lambda: _of_scikit_learn("iris"),
    "wine": lambda: _of_scikit_learn("wine"),
    "breast cancer": lambda: _of_scikit_learn("breast_cancer"),
    "diabetes": lambda: _of_scikit_learn("diabetes"),
    "Titanic-like": titanic,
    "churn-like": churn,
}


def _drawn(rng: np.random.Generator, score: NDArray[np.float64]) -> NDArray[np.int64]:
    return (rng.random(len(score)) < 1 / (1 + np.exp(-score))).astype(np.int64)


def _with_gaps(rng: np.random.Generator, cells: NDArray[Any], share: float) -> list[Any]:
    missing = rng.random(len(cells)) < share
    return [None if gap else cell for gap, cell in zip(missing, cells.tolist(), strict=True)]
