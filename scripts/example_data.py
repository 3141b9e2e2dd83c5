"""Files of the examples in specs/data, made from nothing: python scripts/example_data.py writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parents[1] / "specs" / "data"
_SIDE = 12
_PICTURES = 10
_SWINGS = 160
_STROKES = 90
_STEPS = 8
_CUSTOMERS = 600
_HOURS = 700
_GESTURES = 120
_SOLIDS = 240


def shapes() -> dict[str, NDArray[np.uint8]]:
    """Twenty pictures (12, 12) of rings and crosses by the names of their files, each in another place and size."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:_SIDE, :_SIDE]
    pictures = {}
    for number in range(_PICTURES):
        for name in ("cross", "ring"):
            (row, column), radius = rng.uniform(4.5, 6.5, 2), rng.uniform(2.5, 4.0)
            down, right = y - row, x - column
            distance = np.hypot(down, right)
            if name == "ring":
                ink = 1.5 - np.abs(distance - radius)
            else:
                ink = 1.5 - np.minimum(np.abs(down - right), np.abs(down + right)) - 4 * (distance > radius + 1)
            noisy = 230.0 * np.clip(ink, 0.0, 1.0) + rng.uniform(0.0, 25.0, ink.shape)
            pictures[f"{name}/{number:02d}.png"] = noisy.astype(np.uint8)
    return pictures


def idx_files() -> dict[str, bytes]:
    """The same pictures in order of name, and which shape each is (cross 0, ring 1), as IDX files by their names."""
    pictures = shapes()
    names = sorted(pictures)
    pixels = np.stack([pictures[name] for name in names])
    labels = np.array([name.startswith("ring") for name in names], dtype=np.uint8)
    return {
        f"shapes-{what}.idx": bytes([0, 0, 8, array.ndim])
        + np.array(array.shape, dtype=">u4").tobytes()
        + array.tobytes()
        for what, array in (("images", pixels), ("labels", labels))
    }


def pendulum() -> dict[str, NDArray[np.float32]]:
    """Swings by name: length in metres and first angle in radians (n, 2), the period in seconds (n, 1), and a test set.

    By the arithmetic-geometric mean, T = 2π√(l/g)/agm(1, cos(θ/2)).
    """
    rng = np.random.default_rng(2)
    inputs = np.stack([rng.uniform(0.2, 2.0, _SWINGS), rng.uniform(0.1, 2.8, _SWINGS)], axis=1)
    a, b = np.ones(_SWINGS), np.cos(inputs[:, 1] / 2)
    for _ in range(6):
        a, b = (a + b) / 2, np.sqrt(a * b)
    periods = (2 * np.pi * np.sqrt(inputs[:, 0] / 9.81) / a)[:, None]
    x, y = inputs.astype(np.float32), periods.astype(np.float32)
    return {"inputs": x[:-40], "targets": y[:-40], "test_inputs": x[-40:], "test_targets": y[-40:]}


def solids() -> dict[str, NDArray[np.generic]]:
    """Balls and cubes somewhere in a box, by name: inputs (n, 6, 6, 6, 1), noisy, and which each is (n,)."""
    rng = np.random.default_rng(4)
    targets = np.arange(_SOLIDS) % 2
    volumes = []
    for cube in targets:
        centre, radius = rng.uniform(2.0, 3.0, 3), rng.uniform(1.6, 2.3)
        away = np.abs(np.moveaxis(np.indices((6, 6, 6)), 0, -1) - centre)
        # A cube of the same volume as the ball.
        distance = away.max(axis=-1) / 0.806 if cube else np.hypot(np.hypot(away[..., 0], away[..., 1]), away[..., 2])
        volumes.append(200.0 * np.clip(radius + 0.5 - distance, 0.0, 1.0) + rng.uniform(0.0, 25.0, distance.shape))
    names = np.array(["ball", "cube"])
    return {"inputs": (np.array(volumes) // 20 * 20).astype(np.uint8)[..., None], "targets": names[targets]}


def strokes() -> dict[str, NDArray[np.generic]]:
    """Strokes of a pen, (n, 8, 2), and whether each turns left or right, (n,), by the names of their files."""
    rng = np.random.default_rng(3)
    turns = rng.integers(0, 2, _STROKES)
    bend = np.where(turns == 0, 1.0, -1.0) * rng.uniform(0.15, 0.6, _STROKES)
    heading = rng.uniform(0.0, 2 * np.pi, _STROKES)[:, None] + bend[:, None] * np.arange(_STEPS)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=2) + rng.normal(0.0, 0.1, (_STROKES, _STEPS, 2))
    return {
        "strokes.npy": np.cumsum(steps, axis=1).astype(np.float32),
        "turns.npy": np.array(["left", "right"])[turns],
    }


def churn() -> list[str]:
    """Lines of a table of customers: numbers, names, dates, an identifier, missing cells, and who left."""
    rng = np.random.default_rng(4)
    lines = ["customer,age,plan,country,income,signed_up,churned"]
    for number in range(_CUSTOMERS):
        age, months = int(rng.integers(18, 80)), int(rng.integers(0, 96))
        plan = ("basic", "family", "premium")[rng.integers(3)]
        country = ("DE", "FR", "IT", "ES", "MT")[min(int(rng.exponential(1.2)), 4)]
        income = 1800.0 + 25.0 * age + rng.normal(0.0, 400.0)
        leaning = 1.5 * (plan == "basic") - 1.0 * (plan == "family") - 0.03 * months + 0.03 * (45 - age) + 0.6
        churned = "yes" if leaning + rng.logistic() > 0 else "no"
        cells = [f"C{number:05d}", str(age), plan, country, f"{income:.2f}"]
        if rng.random() < 0.06:
            cells[1] = ""
        day = np.datetime64("2024-12-01") - np.timedelta64(30 * months + int(rng.integers(30)), "D")
        lines.append(",".join([*cells, str(day), churned]))
    return lines


def energy() -> list[str]:
    """Lines of a table of hours: the load of a grid, which goes with the hour, the weekday and the temperature."""
    rng = np.random.default_rng(5)
    hours = np.arange(_HOURS)
    weather = np.zeros(_HOURS)
    for hour in range(1, _HOURS):
        weather[hour] = 0.97 * weather[hour - 1] + rng.normal(0.0, 0.5)
    temperature = 12.0 + 5.0 * np.sin(2 * np.pi * (hours - 9) / 24) + weather
    working = (hours // 24 + 4) % 7 < 5
    load = 900.0 + 180.0 * np.sin(2 * np.pi * (hours - 8) / 24) + 120.0 * working - 14.0 * (temperature - 12.0)
    load += rng.normal(0.0, 12.0, _HOURS)
    times = np.datetime64("2024-03-01T00:00") + hours.astype("timedelta64[h]")
    rows = zip(times.astype(str).tolist(), load.tolist(), temperature.tolist(), strict=True)
    return ["hour,load,temperature", *(f"{t.replace('T', ' ')},{mw:.1f},{degrees:.2f}" for t, mw, degrees in rows)]


def gestures() -> list[str]:
    """Lines of a table of movements of a hand, of 4 to 12 steps each, and what it drew: a circle, a zigzag, a line."""
    rng = np.random.default_rng(6)
    lines = ["gesture,step,dx,dy,kind"]
    for number in range(_GESTURES):
        kind = ("circle", "line", "zigzag")[number % 3]
        steps, heading = int(rng.integers(4, 13)), rng.uniform(0.0, 2 * np.pi)
        for step in range(steps):
            turn = {"circle": 2 * np.pi * step / steps, "line": 0.0, "zigzag": 1.2 * (-1) ** step}[kind]
            x, y = np.cos(heading + turn) + rng.normal(0.0, 0.2), np.sin(heading + turn) + rng.normal(0.0, 0.2)
            lines.append(f"g{number:03d},{step},{x:.3f},{y:.3f},{kind}")
    return lines


def main() -> int:
    """Write every file. Returns 0."""
    for name, pixels in shapes().items():
        path = FOLDER / "shapes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    for name, content in idx_files().items():
        (FOLDER / name).write_bytes(content)
    np.savez_compressed(FOLDER / "pendulum.npz", **pendulum())
    np.savez_compressed(FOLDER / "solids.npz", **solids())
    for name, array in strokes().items():
        np.save(FOLDER / name, array)
    for name, lines in (("churn.csv", churn()), ("energy.csv", energy()), ("gestures.csv", gestures())):
        (FOLDER / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
