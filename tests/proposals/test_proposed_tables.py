"""Proposals for tables: what each column is taken for, why, and that the spec trains as it stands."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

ROWS = 120
NAMES = {"type": "category", "unseen": "other", "missing": "category"}


def table(path, columns, delimiter=",", encoding="utf-8"):
    """Write columns of equal length, by name."""
    lines = [delimiter.join(f'"{cell}"' if delimiter in str(cell) else str(cell) for cell in row)
             for row in zip(*columns.values(), strict=True)]  # fmt: skip
    path.write_text("\n".join([delimiter.join(columns), *lines]) + "\n", encoding=encoding)


def office(rows=ROWS):
    """A table as an office has it: every kind of column, and what of it can be learned."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, rows)
    income = rng.normal(40_000, 9_000, rows).round(2)
    churned = np.where(income + 300 * age + rng.normal(0, 4_000, rows) > 55_000, "no", "yes")
    return {
        "customer_id": [f"C-{i:05d}" for i in range(rows)],
        "row": range(1, rows + 1),
        "age": [a if i % 12 else "" for i, a in enumerate(age)],
        "income": income,
        "fee": [f"{p:,.2f} €" for p in income],
        "share": [f"{p} %" for p in age],
        "plan": rng.choice(["basic", "plus", "pro"], rows),
        "country": ["AT" if i % 40 == 0 else c for i, c in enumerate(rng.choice(["DE", "FR"], rows))],
        "code": [f"{i % 7:03d}" for i in range(rows)],
        "signed_up": [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(rows)],
        "last_call": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024" for i in range(rows)],
        "note": [f"the customer called {i} times and said {i * 7 % 13}" for i in range(rows)],
        "currency": ["EUR"] * rows,
        "fax": [i if i % 10 == 0 else "" for i in range(rows)],
        "left": np.where(churned == "yes", "gone", "here"),
        "churned": churned,
    }


@pytest.fixture
def churn(init, tmp_path):
    table(tmp_path / "churn.csv", office())
    return init("churn.csv", "--target", "churned")


def test_each_column_of_an_office_s_table(churn):
    assert churn.code == 0, churn.err
    assert churn.columns == {
        "customer_id": "ignore",
        "row": "ignore",
        "age": {"type": "number", "missing": "median", "flag": True},
        "income": "number",
        "fee": {"type": "number", "thousands": ",", "unit": "€"},
        "share": {"type": "number", "unit": "%"},
        "plan": NAMES,
        "country": NAMES,
        "code": NAMES,
        "signed_up": "date",
        "last_call": {"type": "date", "format": "%d.%m.%Y"},
        "note": "ignore",
        "currency": "ignore",
        "fax": "ignore",
        "left": "ignore",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("customer_id", "an identifier: all 120 texts are different"),
        ("row", "an identifier by its name: 120 different numbers in 120 rows"),
        ("age", "8.3 % missing"),
        ("code", "with leading zeros"),
        ("note", "free text, 8 words a cell"),
        ("currency", "every cell is 'EUR'"),
        ("fax", "90 % of its cells are missing"),
        ("left", "it says the target again: each of its values goes with one of the target's"),
    ],
)
def test_reasons_are_comments_and_what_is_left_out_is_named(churn, name, reason):
    assert reason in churn.why(name)
    if churn.columns[name] == "ignore":
        assert f"column {name!r} is left out: {churn.why(name)}" in churn.err


def test_it_trains_and_is_the_same_again(churn, init, trains):
    trains(churn)
    assert init("churn.csv", "--target", "churned") == churn


def test_tables_like_well_known_ones(init, trains, tmp_path):
    people_tables = pytest.importorskip(
        "benchmarks.files.people_tables", reason="benchmarks/ lies beside a checkout's tests"
    )
    for name, made, ignored in (
        ("titanic", people_tables.titanic(300), {"PassengerId", "Name", "Ticket", "Cabin"}),
        ("churn", people_tables.churn(300), {"customerID", "Country"}),
    ):
        cells = {key: ["" if cell is None else cell for cell in cells] for key, cells in made.columns.items()}
        table(tmp_path / f"{name}.csv", cells)
        proposed = init(f"{name}.csv")
        assert proposed.data["target"] == made.target
        assert {key for key, column in proposed.columns.items() if column == "ignore"} == ignored
        assert {key for key in made.categories if proposed.columns[key] == NAMES} == set(made.categories)
        trains(proposed)


def test_few_rows_of_classes_train_without_validation_and_amounts_with_it(init, tmp_path):
    x = np.random.default_rng(12).normal(size=1200).round(3)
    for rows, target, validated in ((900, "ab", False), (1200, "ab", True), (900, None, True)):
        y = x[:rows][::-1] if target is None else [target[i % 2] for i in range(rows)]
        table(tmp_path / "t.csv", {"x": x[:rows], "y": y})
        spec = init("t.csv").spec
        assert ("validation" in spec["data"], "early_stopping" in spec["schedule"]) == (validated, validated)


def test_rare_names_become_other(init, trains, tmp_path):
    country = ["DE"] * 60 + ["FR"] * 55 + ["AT", "CH", "IT", "ES", "PT"]
    table(tmp_path / "t.csv", {"country": country, "x": range(ROWS, 0, -1), "y": ["a", "b"] * 60})
    proposed = init("t.csv")
    assert proposed.columns["country"] == {**NAMES, "least": 2}
    assert "5 of them in fewer than 2 rows" in proposed.why("country")
    trains(proposed)


def test_many_names_become_trained_vectors(init, trains, tmp_path):
    rng = np.random.default_rng(14)
    city = [f"c{i % 70}" for i in range(595)] + [f"d{i}" for i in range(5)]
    table(tmp_path / "t.csv", {"city": city, "x": rng.normal(size=600), "y": rng.choice(["a", "b"], 600)})
    proposed = init("t.csv")
    assert proposed.columns["city"] == {"type": "category", "unseen": "other", "least": 3, "embedding": 9}
    assert "75 different; 5 of them in fewer than 3 rows; each a trained vector" in proposed.why("city")
    trains(proposed)


def test_amounts_are_answered_by_one_linear_unit_in_their_own_units(init, trains, tmp_path):
    rng = np.random.default_rng(1)
    size = rng.uniform(40, 200, ROWS)
    table(
        tmp_path / "houses.csv",
        {"size": size, "noise": rng.normal(size=ROWS), "price": 1e6 + 9e3 * size + rng.normal(0, 1e5, ROWS)},
    )
    proposed = init("houses.csv", "--target", "price")
    assert proposed.data["target_transforms"] == ["standardize"]
    assert (proposed.spec["layers"][-1], proposed.spec["cost"]) == ({"type": "dense", "units": 1}, "mse")
    trains(proposed)


def test_a_copy_of_the_target_in_other_units_is_left_out(init, tmp_path):
    x = np.random.default_rng(2).normal(size=ROWS)
    table(tmp_path / "t.csv", {"a": x[::-1], "cents": 100 * x, "y": x})
    assert "their correlation is 1" in init("t.csv").why("cents")


@pytest.mark.parametrize(
    ("target", "units", "kind"),
    [
        ([i % 3 for i in range(ROWS)], 3, "labels"),
        (["true", "false"] * 60, 2, "labels"),
        ([i * 37 % 101 for i in range(ROWS)], 1, "values"),
        ([i % 7 / 2 for i in range(ROWS)], 1, "values"),
    ],
    ids=["few whole numbers", "truth values", "many whole numbers", "halves"],
)
def test_classes_or_amounts(init, trains, tmp_path, target, units, kind):
    table(tmp_path / "t.csv", {"x": np.random.default_rng(3).normal(size=ROWS), "y": target})
    proposed = init("t.csv")
    assert (proposed.data["target_type"], proposed.spec["layers"][-1]["units"]) == (kind, units)
    trains(proposed)


def test_uneven_classes_are_measured_by_more_than_accuracy(init, trains, tmp_path):
    table(
        tmp_path / "t.csv",
        {"x": np.random.default_rng(4).normal(size=ROWS), "y": ["bad" if i % 10 == 0 else "good" for i in range(ROWS)]},
    )
    proposed = init("t.csv")
    assert proposed.spec["metrics"] == ["balanced_accuracy", "roc_auc"]
    assert "weights: balanced" in proposed.why("metrics")
    trains(proposed)


def test_rows_of_one_customer_stay_on_one_side(init, trains, tmp_path):
    rng = np.random.default_rng(5)
    table(
        tmp_path / "t.csv",
        {
            "customer_id": [f"c{i // 3}" for i in range(ROWS)],
            "x": rng.normal(size=ROWS),
            "y": rng.choice(["a", "b"], ROWS),
        },
    )
    proposed = init("t.csv")
    assert (proposed.data["split"], proposed.columns["customer_id"]) == ({"by": "customer_id"}, "ignore")
    trains(proposed)


def test_rows_without_a_target_are_left_out(init, trains, tmp_path):
    rng = np.random.default_rng(6)
    table(tmp_path / "t.csv", {"x": rng.normal(size=ROWS), "y": ["" if i < 6 else "ab"[i % 2] for i in range(ROWS)]})
    proposed = init("t.csv")
    assert proposed.columns["y"] == {"type": "category", "missing": "drop"}
    trains(proposed)


def test_words_among_numbers_stand_for_nothing(init, trains, tmp_path):
    rng = np.random.default_rng(7)
    table(
        tmp_path / "t.csv",
        {
            "x": ["unknown" if i % 30 == 0 else f"{v:.3f}" for i, v in enumerate(rng.normal(size=ROWS))],
            "y": ["a", "b"] * 60,
        },
    )
    proposed = init("t.csv")
    assert "unknown" in proposed.data["missing_values"]
    assert proposed.columns["x"]["missing"] == "median"
    trains(proposed)


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "parquet"])
def test_files_of_other_kinds(init, trains, tmp_path, ending):
    rng = np.random.default_rng(8)
    columns = {"x": rng.normal(size=ROWS), "plan": rng.choice(["a", "b"], ROWS), "y": rng.choice(["no", "yes"], ROWS)}
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        parquet.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)
    else:
        plain = tmp_path / "plain"
        table(plain, columns, "\t" if ending == "tsv" else ",")
        path.write_bytes(gzip.compress(plain.read_bytes()) if ending.endswith("gz") else plain.read_bytes())
    proposed = init(path.name)
    assert proposed.columns == {"x": "number", "plan": NAMES}
    trains(proposed)


def test_semicolons_decimal_commas_and_another_encoding(init, trains, tmp_path):
    rng = np.random.default_rng(9)
    numbers = [f"{v:.2f}".replace(".", ",") for v in rng.normal(size=ROWS)]
    table(
        tmp_path / "t.csv",
        {"größe": numbers, "stadt": rng.choice(["Köln", "Ulm"], ROWS), "y": ["ä", "b"] * 60},
        ";",
        "cp1252",
    )
    proposed = init("t.csv")
    assert (proposed.data["delimiter"], proposed.data["encoding"]) == (";", "cp1252")
    assert proposed.columns["größe"] == {"type": "number", "decimal": ","}
    trains(proposed)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_comment_above_the_header_and_utf_16(init, trains, tmp_path, encoding):
    rows = "".join(f"{i % 9};2024-01-{1 + i % 28:02d} {i % 24:02d}:30:00;{'ab'[i % 2]}\n" for i in range(ROWS))
    (tmp_path / "t.csv").write_text("# of 2024, by hand\n# twice\nn;when;y\n" + rows, encoding=encoding)
    proposed = init("t.csv")
    assert (proposed.data["delimiter"], proposed.data["comment"]) == (";", "#")
    assert list(proposed.columns) == ["n", "when"]
    assert proposed.why("when") == "its time, month, weekday and hour"
    trains(proposed)


@pytest.mark.parametrize("answers", [("None", "mild", "severe"), ("None", "mild")])
def test_a_class_that_is_called_none_is_doubted(init, tmp_path, answers):
    table(tmp_path / "t.csv", {"x": range(0, 240, 2), "y": [answers[(i + i // 7) % len(answers)] for i in range(ROWS)]})
    proposed = init("t.csv", "--target", "y")
    assert "cells of the target 'y' that say None are taken for missing" in proposed.err
    assert 'say missing_values: [""]' in proposed.err
    assert proposed.code == (0 if len(answers) == 3 else 3)


def test_texts_that_a_file_keeps_as_a_dictionary(init, trains, tmp_path):
    plan = pa.array([f"p{i % 3}" for i in range(ROWS)]).dictionary_encode()
    user = pa.array([f"u{i // 3}" for i in range(ROWS)]).dictionary_encode()
    answer = pa.array([f"a{i % 2}" for i in range(ROWS)]).dictionary_encode()
    parquet.write_table(pa.table({"user_id": user, "plan": plan, "y": answer}), tmp_path / "t.parquet")
    proposed = init("t.parquet")
    assert proposed.columns == {"user_id": "ignore", "plan": NAMES}
    assert proposed.data["split"] == {"by": "user_id"}
    trains(proposed)


def test_what_can_be_read_in_two_ways_is_said(init, tmp_path):
    days = [f"{1 + i % 12:02d}/{1 + i * 5 % 12:02d}/2024" for i in range(ROWS)]
    table(tmp_path / "t.csv", {"day": days, "y": ["a", "b"] * 60})
    proposed = init("t.csv")
    assert proposed.columns["day"]["format"] == "%d/%m/%Y"
    assert "column 'day': dates are read as %d/%m/%Y; or are they %m/%d/%Y?" in proposed.err


def test_a_wide_table_lists_what_there_is_to_say(init, trains, tmp_path):
    rng = np.random.default_rng(10)
    columns = {f"x{i}": rng.normal(size=ROWS).round(3) for i in range(70)}
    table(tmp_path / "t.csv", columns | {"constant": [1] * ROWS, "y": ["a", "b"] * 60})
    proposed = init("t.csv")
    assert proposed.columns == {"constant": "ignore"}
    trains(proposed)


def test_a_series_is_forecast(init, trains, tmp_path):
    hours = [f"2024-03-{1 + i // 24:02d} {i % 24:02d}:00" for i in range(ROWS)]
    load = np.sin(np.arange(ROWS) / 4).round(4)
    table(tmp_path / "t.csv", {"hour": hours, "load": load, "temperature": load[::-1]})
    proposed = init("t.csv", "--target", "load")
    assert (proposed.data["type"], proposed.data["time"], proposed.data["target"]) == ("series", "hour", "load")
    trains(proposed)


@pytest.mark.parametrize(
    "name", ["yes", "1:20", "a: b", "- x", "#", "'", '"', " ", "\u202e", "é\u200b", "{a}", "null", "x" * 3000]
)
def test_names_that_mean_something_in_yaml(init, trains, tmp_path, name):
    columns = {"x": np.random.default_rng(11).normal(size=20).round(3), "z": ["a", "b"] * 10}
    lines = [f"{x},{k},{k}{k}" for x, k in zip(*columns.values(), strict=True)]
    head = '"' + name.replace('"', '""') + '"'
    (tmp_path / "t.csv").write_text("\n".join([f'x,{head},"{head[1:-1]} y"', *lines]) + "\n", encoding="utf-8")
    proposed = init("t.csv", "--target", f"{name} y".strip())
    if name.strip():
        assert name in proposed.columns
        trains(proposed)
    else:
        assert (proposed.code, "no name" in proposed.err) == (3, True)


ERRORS = {
    "no file": ("missing.csv", None, 3, "there is no file or folder missing.csv"),
    "empty": ("t.csv", "", 3, "t.csv is empty"),
    "a header alone": ("t.csv", "a,y\n", 3, "no rows below its header"),
    "one column": ("t.csv", "y\n" + "a\nb\n" * 10, 3, "has one column"),
    "one row": ("t.csv", "a,y\n1,2\n", 3, "1 row, and 10 are few already"),
    "no target": ("t.csv", "a,b\n" + "1,2\n2,1\n" * 10, 2, "say --target NAME, one of a, b"),
    "two targets": ("t.csv", "x,label,class\n" + "1,a,b\n2,c,d\n" * 10, 2, "one of label, class"),
    "one class": ("t.csv", "x,y\n" + "1,a\n2,a\n" * 10, 3, "every target is 'a'"),
    "one amount": ("t.csv", "x,y\n" + "1,2.5\n2,2.5\n" * 10, 3, "every target is '2.5'"),
    "nothing left": ("t.csv", "x,y\n" + "1,a\n1,b\n" * 10, 3, "no column is left for the inputs"),
    "targets all different": ("t.csv", "x,y\n" + "".join(f"{i % 3},n{i}\n" for i in range(30)), 3, "no classes"),
    "packed otherwise": ("t.csv.zip", "x", 3, "unpack it; a text may be packed as .gz, .bz2 or .zst"),
    "an array of JSON": ("t.json", "[]", 3, "an object a line are read\n  write it so, as t.jsonl"),
    "another ending": ("t.docx", "x", 3, "its name does not say what it is"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_sentences_with_the_fix(init, tmp_path, name):
    file, text, code, message = ERRORS[name]
    if text is not None:
        (tmp_path / file).write_text(text)
    proposed = init(file)
    assert (proposed.code, proposed.text) == (code, "")
    assert message in proposed.err


def test_a_target_that_there_is_not_is_named(init, tmp_path):
    table(tmp_path / "t.csv", {"x": range(20), "price": range(20)})
    proposed = init("t.csv", "--target", "pirce")
    assert (proposed.code, "did you mean 'price'?" in proposed.err) == (3, True)


def test_paths_are_relative_to_where_the_spec_will_lie(init, tmp_path, trains):
    (tmp_path / "specs").mkdir()
    table(tmp_path / "t.csv", office(40))
    assert init("t.csv", "--target", "churned", "--out", "specs/churn.yaml").code == 0
    assert "path: ../t.csv\n" in (tmp_path / "specs" / "churn.yaml").read_text()
    again = init("t.csv", "--target", "churned", "--out", "specs/churn.yaml")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert init("t.csv", "--target", "churned", "--out", "specs/churn.yaml", "--force").code == 0


def test_a_file_whose_name_is_no_utf8_cannot_be_named_in_a_spec(init, tmp_path):
    table(tmp_path / "t.csv", office(40))
    try:
        (tmp_path / "t.csv").rename(tmp_path / "t\udcff.csv")
    except OSError:
        pytest.skip("this file system has no such names")
    proposed = init("t\udcff.csv", "--target", "churned")
    assert (proposed.code, "rename it" in proposed.err) == (3, True)


def test_typed_columns_of_a_file_that_knows_them(init, trains, tmp_path):
    rng = np.random.default_rng(13)
    columns = {
        "kind": pa.array(rng.choice(["a", "b"], ROWS)).dictionary_encode(),
        "day": pa.array(np.datetime64("2024-01-01") + rng.integers(0, 90, ROWS)),
        "long": pa.array([2**60 + i for i in range(ROWS)]),
        "flag": pa.array(rng.random(ROWS) > 0.5),
        "gaps": pa.array(np.where(np.arange(ROWS) % 9 == 0, np.nan, rng.normal(size=ROWS))),
        "nothing": pa.nulls(ROWS),
        "y": pa.array(["u", "v"] * (ROWS // 2)),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    proposed = init("t.parquet")
    assert proposed.columns == {
        "kind": NAMES,
        "day": "date",
        "long": "ignore",
        "flag": "number",
        "gaps": {"type": "number", "missing": "median", "flag": True},
        "nothing": "ignore",
    }
    trains(proposed)


def test_columns_as_programs_of_offices_write_them(init, trains, tmp_path):
    """A minus of typographers or of accountants, whole numbers with a point, a cross or nothing."""
    rng = np.random.default_rng(0)
    amounts = rng.normal(0, 50, ROWS).round(2)
    given = {
        "Kunde": [f"{i}.0" for i in range(1, ROWS + 1)],
        "Konto-Nr": [f"{7 * i % 1009}.0" for i in range(ROWS)],
        "Saldo": [str(amount).replace("-", "\u2212") for amount in amounts],
        "Zinsen": [str(x) if x >= 0 else f"{-x}-" for x in rng.normal(0, 50, ROWS).round(2)],
        "Steuer": [str(x) if x >= 0 else f"({-x})" for x in rng.normal(0, 50, ROWS).round(2)],
        "Tage": [f"{d}.0" for d in rng.integers(0, 30, ROWS)],
        "VIP": np.where(rng.random(ROWS) < 0.2, "x", ""),
        "Mahnung": np.where(rng.random(ROWS) < 0.2, "1", ""),
        "Fax": ["ja" if i in (3, 40) else "" for i in range(ROWS)],
        "Schuld": [str(x).replace("-", "\u2212") for x in (amounts + rng.normal(0, 20, ROWS)).round(2)],
    }
    table(tmp_path / "konten.csv", given)
    proposed = init("konten.csv", "--target", "Schuld")
    assert proposed.columns == {
        "Kunde": "ignore",
        "Konto-Nr": "ignore",
        "Saldo": {"type": "number", "decimal": "."},
        "Zinsen": {"type": "number", "decimal": "."},
        "Steuer": {"type": "number", "decimal": "."},
        "Tage": "number",
        "VIP": NAMES,
        "Mahnung": NAMES,
        "Fax": "ignore",
        "Schuld": {"type": "number", "decimal": "."},
    }
    assert "'x' or nothing" in proposed.why("VIP")
    trains(proposed)


def test_a_table_with_totals_below_and_the_target_told_twice(init, tmp_path):
    rng = np.random.default_rng(2)
    net = rng.uniform(1000, 9000, ROWS).round(2)
    office = [f"{x:,.2f}".translate(str.maketrans(",.", ".,")) for x in (*net, net.sum())]
    gross = [f"{x * 1.19:,.2f}".translate(str.maketrans(",.", ".,")) for x in (*net, net.sum())]
    dates = [f"{i % 28 + 1:02}.{i % 12 + 1:02}.{'2023' if i % 2 else '23'}" for i in range(ROWS)]
    given = {
        "shop": [*(f"{i % 7}a" for i in range(ROWS)), "Summe:"],
        "net": office,
        "gross": gross,
        "day": [*dates, ""],
        "left": [*map(str, rng.integers(0, 1000, ROWS)), "5"],
    }
    table(tmp_path / "t.csv", given, delimiter=";")
    proposed = init("t.csv", "--target", "net")
    assert "the last row begins with 'Summe:': if it holds totals of the others, remove it" in proposed.err
    assert proposed.columns["gross"] == proposed.columns["day"] == "ignore"
    assert proposed.why("gross").startswith("it says the target again")
    assert proposed.why("day").startswith("dates written in several ways, as 01.01.23, 02.02.2023")


def test_a_target_that_can_be_read_in_two_ways(init, tmp_path):
    rng = np.random.default_rng(3)
    table(tmp_path / "t.csv", {"a": rng.normal(size=ROWS), "price": [f"{i}.{i + 7}" for i in range(100, 100 + ROWS)]})
    rows = (tmp_path / "t.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "t.csv").write_text(rows)
    proposed = init("t.csv", "--target", "price")
    assert "the target 'price': " in proposed.err
    assert 'or is it {type: number, decimal: ","}?' in proposed.err


def test_a_point_between_groups_beside_a_decimal_comma(init, trains, tmp_path):
    """Where others have a decimal comma, 1.234 is no number below 2; where none has, it is."""
    rng = np.random.default_rng(4)
    pieces = rng.integers(1000, 9999, ROWS)
    given = {
        "pieces": [f"{n:,}".replace(",", ".") for n in pieces],
        "few": [f"{n:,}".replace(",", ".") for n in rng.integers(700, 1300, ROWS)],
        "ratio": [f"{x:.3f}" for x in rng.uniform(0.1, 0.9, ROWS)],
        "price": [f"{x:.2f}".replace(".", ",") for x in rng.uniform(1, 9, ROWS)],
        "y": np.where(pieces > 5000, "much", "little"),
    }
    table(tmp_path / "t.csv", given, delimiter=";")
    grouped = {"type": "number", "decimal": ",", "thousands": "."}
    proposed = init("t.csv", "--target", "y")
    assert proposed.columns["pieces"] == proposed.columns["few"] == grouped
    assert proposed.columns["ratio"] == "number"
    assert f"{given['pieces'][0]!r} is read as {pieces[0]}, for 'price' has a decimal comma" in proposed.err
    trains(proposed)
    amounts = init("t.csv", "--target", "pieces")
    assert amounts.columns["pieces"] == grouped
    assert "the target 'pieces': " in amounts.err
    trains(amounts)
    table(tmp_path / "t.csv", {**given, "price": rng.normal(size=ROWS).round(2)}, delimiter=";")
    assert init("t.csv", "--target", "y").columns["pieces"] == "number"


def test_columns_that_hold_no_cells_are_left_out(init, trains, tmp_path):
    columns = {name: values for name, values in office().items() if name in ("age", "income", "churned")}
    columns = {name: pa.array(list(map(str, values))) for name, values in columns.items()}
    columns["tags"] = pa.array([["a", "b"]] * ROWS)
    columns["length"] = pa.array(range(ROWS), pa.duration("s"))
    parquet.write_table(pa.table(columns), tmp_path / "churn.parquet")
    proposed = init("churn.parquet", "--target", "churned")
    assert proposed.columns["tags"] == proposed.columns["length"] == "ignore"
    assert proposed.why("length") == "a cell is a single value, and it holds duration[s]"
    assert "column 'tags' is left out: a cell is a single value, and it holds list<" in proposed.err
    trains(proposed)


def test_numbers_that_may_stand_for_nothing_are_told(init, tmp_path):
    columns = {
        "answer": [i % 5 + 1 if i % 9 else 99 for i in range(ROWS)],
        "level": [round(9 + i % 7 / 2, 1) if i % 6 else -999 for i in range(ROWS)],
        "age": [90 + i % 10 for i in range(ROWS)],
        "change": [i % 8 - 1 for i in range(ROWS)],
        "y": ["a", "b"] * (ROWS // 2),
    }
    table(tmp_path / "t.csv", columns)
    proposed = init("t.csv", "--target", "y")
    assert proposed.code == 0
    notes = [line for line in proposed.err.splitlines() if "stands for nothing" in line]
    assert len(notes) == 2
    assert "column 'answer': 99 in 14 rows, beside numbers from 1 to 5: if" in notes[0]
    assert "column 'level': -999 in 20 rows, beside numbers from 9 to 12: if" in notes[1]
    assert "say missing_values: ['', -999]" in notes[1]


def test_digits_that_are_no_numbers_are_names(init, trains, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    cards = [f"{30 + i}{rng.integers(10**17, 10**18)}" for i in range(ROWS)]
    code = np.where(x < -0.5, "01", np.where(x < 0.5, "02", "10"))
    table(tmp_path / "t.csv", {"x": x.round(3), "card": cards, "Account": rng.permutation(ROWS) + 10**9, "code": code})
    proposed = init("t.csv", "--target", "code")
    assert proposed.columns == {"x": "number", "card": "ignore", "Account": "ignore"}
    assert proposed.data["target_type"] == "labels"
    trains(proposed)
