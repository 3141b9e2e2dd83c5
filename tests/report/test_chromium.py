"""Reports in a real browser: no error in its console, the script at work, light, dark and narrow."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.figures.figure import Axis, BarList, Bars, Chart, Curve, HeatMap, Plane, Points
from nnctl.figures.parallel import Parallel
from nnctl.inference.tracing import traced
from nnctl.report.page import page
from nnctl.report.report import report_on
from nnctl.report.section import Chapter, Drawn, Section
from nnctl.report.trace import trace_page

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine"),
]

ACT = """<script>
addEventListener("load", () => {
  const svg = document.querySelector(".plot").ownerSVGElement;
  const box = svg.getBoundingClientRect();
  const top = box.top + box.height / 2;
  const at = (x) => ({clientX: box.left + box.width * x, clientY: top, bubbles: true, pointerId: 1});
  svg.setPointerCapture = () => {};
  svg.dispatchEvent(new PointerEvent("pointerdown", at(0.3)));
  svg.dispatchEvent(new PointerEvent("pointermove", at(1)));
  document.title = svg.parentNode.querySelector(".tip").textContent;
  svg.dispatchEvent(new PointerEvent("pointerup", at(1)));
  const drawn = () => [...svg.querySelectorAll(".plot .curve")].map((curve) => curve.getAttribute("d")).join();
  const zoomed = drawn();
  svg.parentNode.querySelector("button").click();
  const logarithmic = drawn();
  document.body.dataset.acted = [zoomed !== logarithmic, svg.querySelectorAll(".marks text").length > 2].join();
});
</script>"""
"""The deeds of a reader with a mouse, after the page's own script."""

MEASURE = """<script>
addEventListener("load", () => {
  const beside = [], within = (text, svg) =>
    text.left > svg.left - 1 && text.right < svg.right + 1 && text.top > svg.top - 1 && text.bottom < svg.bottom + 1;
  for (const svg of document.querySelectorAll("svg.figure")) {
    const texts = [...svg.querySelectorAll("text")].map((e) => [e.textContent, e.getBoundingClientRect()]);
    beside.push(...texts.filter(([, box]) => !within(box, svg.getBoundingClientRect())).map(([text]) => text));
    const lines = [...svg.querySelectorAll("text:not([transform*='-35'])")].map((e) => e.getBoundingClientRect());
    lines.forEach((a, at) => lines.slice(at + 1).forEach((b) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 3) beside.push("one over another in " + svg.getAttribute("aria-label"));
    }));
  }
  document.title = JSON.stringify(beside);
});
</script>"""
"""Texts of figures that are clipped or lie on others."""


def browse(page: str, folder: Path, *options: str) -> tuple[str, str]:
    """What a headless browser prints for a page: its document, and its console."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    line = (
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}", *options, path.as_uri(),
    )  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    """The page of one run."""
    return report_on([folder / "a" / "1"])


def test_a_page_with_all_has_no_error_and_its_script_has_run(folder: Path, tmp_path: Path) -> None:
    """Runs, a sweep and names of strangers on one page."""
    page = report_on([folder])
    document, console = browse(page, tmp_path, "--dump-dom")
    assert console == ""
    assert '<html lang="en" class="live">' in document
    assert not re.findall("<title>(.*?)</title>", document)[0].startswith("owned")
    assert document.count("<svg") == page.count("<svg") > 20
    offered = re.findall('class="plot"[^>]* data-log="([xy]*)"', page)
    assert "" in offered
    assert "xy" in offered
    assert document.count(">log y</button>") == sum("y" in axes for axes in offered)
    assert document.count(">log x</button>") == sum("x" in axes for axes in offered)
    # Points and curves on one chart, as of a sweep's trials, are live as well.
    assert "<circle" in page[page.index('data-frame="') :]


def test_values_zoom_and_logarithms(run: str, tmp_path: Path) -> None:
    # For this reader alone the policy lets a second script run.
    page = re.sub("script-src '[^']*'", "script-src 'unsafe-inline'", run).replace("</body>", ACT + "</body>")
    document, console = browse(page, tmp_path, "--dump-dom")
    assert console == ""
    title = re.findall("<title>(.*?)</title>", document)[0]
    assert re.search(r"train: 0\.\d+", title)
    assert re.search(r"validation: 0\.\d+", title)
    assert 'data-acted="true,true"' in document


POINTS = """<script>
addEventListener("load", () => {
  const svg = document.querySelector(".plot").ownerSVGElement, box = svg.getBoundingClientRect();
  const middle = box.top + box.height / 2;
  const at = (x) => ({clientX: box.left + box.width * x, clientY: middle, bubbles: true, pointerId: 1});
  svg.setPointerCapture = () => {};
  const across = () => [...svg.querySelectorAll("circle[cx]")].slice(-4).map((circle) => +circle.getAttribute("cx"));
  const before = across();
  svg.dispatchEvent(new PointerEvent("pointerdown", at(0.6)));
  svg.dispatchEvent(new PointerEvent("pointermove", at(1)));
  const told = svg.parentNode.querySelector(".tip").textContent;
  svg.dispatchEvent(new PointerEvent("pointerup", at(1)));
  const zoomed = across();
  svg.dispatchEvent(new MouseEvent("dblclick", at(0.5)));
  const tools = [...svg.parentNode.querySelectorAll("button:not([hidden])")].map((element) => element.textContent);
  document.title = JSON.stringify({before, zoomed, whole: across(), told, tools});
});
</script>"""
"""A reader who zooms into points and back."""


@pytest.mark.parametrize("linear", [False, True])
def test_points_zoom_with_the_curves_and_logarithms_are_offered_where_they_say_something(
    linear: bool, tmp_path: Path
) -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    layers = Curve("best", x, x[::-1]), Points("trial", x, np.array([4.0, 5.0, 2.0, 1.5]), tuple("abcd"))
    chart = Chart("trials", Axis("trial", linear=linear), Axis("cost", linear=linear), layers)
    text = page("figures", "", [Chapter("All", (Section("Figures", (Drawn(chart),)),))])
    text = re.sub("script-src '[^']*'", "script-src 'unsafe-inline'", text).replace("</body>", POINTS + "</body>")
    document, console = browse(text, tmp_path, "--dump-dom")
    assert console == ""
    found = json.loads(html.unescape(re.findall("<title>(.*?)</title>", document)[0]))
    assert found["tools"] == ([] if linear else ["log y", "log x"])
    assert "trial: 1.5" in found["told"]
    assert np.diff(found["zoomed"]).min() > 1.5 * np.diff(found["before"]).max()
    assert np.allclose(found["whole"], found["before"], atol=0.2)


def test_the_console_tells_errors_and_the_policy_refuses_strangers(run: str, tmp_path: Path) -> None:
    page = run.replace("<main>", "<main><script>document.title = 'owned'</script><img src='http://x.invalid/'>")
    document, console = browse(page, tmp_path, "--dump-dom")
    assert "Content Security Policy" in console
    assert "<title>owned" not in document


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 800), ("light", 400)])
def test_pictures_fit_in_every_width_and_follow_light_and_dark(
    scheme: str, width: int, folder: Path, tmp_path: Path
) -> None:
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    picture = tmp_path / "page.png"
    page = report_on([folder / "a", folder / "b"])
    _, console = browse(page, tmp_path, f"--window-size={width},900", f"--screenshot={picture}", *dark)
    assert console == ""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.float64)
    assert pixels.shape == (900, width)
    background = pixels[:, :4].mean()
    assert background < 60 if scheme == "dark" else background > 240
    # Nothing reaches the right edge, and the page is not empty.
    assert np.ptp(pixels[:, -4:]) == 0
    assert pixels.std() > 5


@pytest.mark.parametrize("width", [400, 1280])
def test_no_text_of_a_figure_is_clipped_or_lies_on_another(width: int, tmp_path: Path) -> None:
    names = ("<b>medium</b> of a kind", "\x1b[31mred\x1b[0m", "small", "k" * 10_000)
    few, many = (
        Axis("answer", categories=names),
        Axis("a class", categories=tuple(f"class {n} of all" for n in range(99))),
    )
    x = np.array([0.01, 1.0, 2.0])
    plane = Plane("p", Axis("a"), Axis("b"), (0.0, 1.0), (0.0, 1.0), np.ones((2, 2, 4)) / 4, classes=names)
    figures = (
        HeatMap("as long as no figure is wide " * 4, few, Axis("class", categories=names), np.eye(4)),
        HeatMap("shares", many, many, np.eye(99)),
        Chart("curves", Axis("x"), Axis("y"), tuple(Curve(name, x, x * n) for n, name in enumerate(names))),
        Chart("bars", few, Axis("score"), (Bars("score", np.array([0.1, 0.2, 0.3, 0.4])),)),
        BarList("how much", "score", (*names, "angemeldet am weekday cosine", "GEBÜHREN IN EURO BRUTTO"), np.ones(6)),
        HeatMap("two rows", Axis("unit"), Axis("from unit", categories=("0", "32")), np.ones((2, 32))),
        plane,
        Parallel(
            "lines", (Axis("optimizer.learning_rate"), Axis("layers[name=hidden].units"), few), np.tile(x, (3, 1)).T,
            np.array([True, False, False]), ("a", "b", "c"),
        ),
    )  # fmt: skip
    section = Section("Figures", tuple(Drawn(figure, wide=isinstance(figure, Parallel)) for figure in figures))
    text = page("figures", "", [Chapter("All", (section,))])
    text = re.sub("script-src '[^']*'", "script-src 'unsafe-inline'", text).replace("</body>", MEASURE + "</body>")
    document, console = browse(text, tmp_path, "--dump-dom", f"--window-size={width},900")
    assert console == ""
    assert json.loads(html.unescape(re.findall("<title>(.*?)</title>", document)[0])) == []


KEYS = """<script>
addEventListener("load", () => {
  const seen = [], press = (key, target = document.body, more = {}) => {
    target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...more}));
    seen.push(location.hash);
  };
  for (const key of ["n", "ArrowRight", "n", "p", "ArrowLeft", "x"]) press(key);
  press("n", document.body, {ctrlKey: true});
  press("ArrowRight", document.querySelector("pre"));
  for (let at = 0; at < 99; at++) press("n");
  document.title = JSON.stringify([...seen.slice(0, 8), seen.at(-1), document.querySelector(".keys").textContent]);
});
</script>"""
"""A reader who goes through the stages of a trace by keys."""


def test_keys_go_through_a_trace(tmp_path: Path) -> None:
    trace = traced(Path(__file__).parents[2] / "specs" / "xor.yaml", 1)
    text = trace_page(trace)
    stages = [name for name in re.findall(r'<section id="([^"]+)"', text) if not name.startswith("c0-")]
    assert len(stages) == len(trace.stages)
    assert 'class="keys"' not in text
    text = re.sub("script-src '[^']*'", "script-src 'unsafe-inline'", text).replace("</body>", KEYS + "</body>")
    document, console = browse(text, tmp_path, "--dump-dom")
    assert console == ""
    *seen, last, hint = json.loads(html.unescape(re.findall("<title>(.*?)</title>", document)[0]))
    assert seen == [f"#{stages[at]}" for at in (0, 1, 2, 1, 0, 0, 0, 0)]
    assert last == f"#{stages[-1]}"
    assert hint == "Keys: → or n to the next step, ← or p to the one before."
