"use strict";
// Values under the pointer, zoom along x and logarithmic axes of the charts that have their numbers with them; keys that
// go where a page's ways lead, from one section to the next.
// Without this script the pictures are as they were drawn.
(() => {
  const make = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return parent.appendChild(element);
  };
  const numbers = (text) => (text ? text.split(",").map((part) => (part === "" ? NaN : +part)) : null);
  const shown = (value) => (Number.isFinite(value) ? String(+value.toPrecision(4)) : "–");
  const place = (scale, value) =>
    scale.log
      ? value > 0 ? Math.log(value / scale.low) / Math.log(scale.high / scale.low) : NaN
      : (value - scale.low) / (scale.high - scale.low);
  const ticks = ({ low, high, log }) => {
    if (log) {
      const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
      if (last > first) {
        const stride = Math.ceil((last - first + 1) / 6);
        return Array.from({ length: Math.floor((last - first) / stride) + 1 }, (_, n) => 10 ** (first + n * stride));
      }
    }
    const least = (high - low) / 5, power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= least * (1 - 1e-9));
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n <= high / step + 1e-9; n++) found.push(+(n * step).toPrecision(12));
    return found;
  };
  const reach = (values, log) => {
    const kept = values.filter((value) => Number.isFinite(value) && (value > 0 || !log));
    let low = Math.min(...kept), high = Math.max(...kept);
    if (!kept.length) [low, high] = log ? [0.1, 1] : [0, 1];
    else if (!(high > low)) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) / 2 || 0.5), high + (Math.abs(high) / 2 || 0.5)];
    return { low, high, log };
  };

  let clips = 0;
  const live = (plot) => {
    const svg = plot.ownerSVGElement, figure = svg.parentNode, marks = svg.querySelector(".marks");
    const [left, right, top, bottom] = plot.dataset.frame.split(" ").map(Number);
    const layers = [...plot.children]
      .map((group) => ({
        group, name: group.dataset.name, curve: group.querySelector(".curve"), band: group.querySelector(".band"),
        circles: [...group.querySelectorAll("circle")],
        x: numbers(group.dataset.x), y: numbers(group.dataset.y),
        low: numbers(group.dataset.low), high: numbers(group.dataset.high),
      }))
      .filter((layer) => layer.x);
    if (!layers.length) return;
    const scattered = layers.some((layer) => !layer.curve);
    const read = (text) => { const [low, high, log] = text.split(" ").map(Number); return { low, high, log: log === 1 }; };
    const first = { x: read(plot.dataset.x), y: read(plot.dataset.y) };
    let x = first.x, y = first.y, redrawn = false;
    const across = (value) => left + place(x, value) * (right - left);
    const down = (value) => bottom - place(y, value) * (bottom - top);
    const valueAt = (at) => {
      const share = (at - left) / (right - left);
      return x.log ? x.low * (x.high / x.low) ** share : x.low + share * (x.high - x.low);
    };
    const clip = make("clipPath", { id: `clip${clips}` }, svg);
    make("rect", { x: left, y: top - 4, width: right - left, height: bottom - top + 8 }, clip);
    plot.setAttribute("clip-path", `url(#clip${clips++})`);

    const line = (xs, ys) => {
      let text = "", command = "M";
      xs.forEach((value, at) => {
        const a = across(value), d = down(ys[at]);
        if (Number.isFinite(a) && Number.isFinite(d)) {
          text += command + a.toFixed(1) + " " + d.toFixed(1);
          command = "L";
        } else command = "M";
      });
      return text;
    };
    const draw = () => {
      redrawn = true;
      for (const layer of layers) {
        layer.circles.forEach((circle, at) => {
          const a = across(layer.x[at]), d = down(layer.y[at]), there = Number.isFinite(a) && Number.isFinite(d);
          circle.setAttribute("visibility", there ? "visible" : "hidden");
          if (there) { circle.setAttribute("cx", a.toFixed(1)); circle.setAttribute("cy", d.toFixed(1)); }
        });
        if (!layer.curve) continue;
        layer.curve.setAttribute("d", line(layer.x, layer.y) || "M0 0");
        if (layer.band && layer.low) {
          const floor = (value) => (y.log && !(value > y.low) ? y.low : value);
          const edge = line([...layer.x, ...[...layer.x].reverse()], [...layer.high, ...layer.low.map(floor).reverse()]);
          layer.band.setAttribute("d", edge ? edge.replace(/(?!^)M/g, "L") + "Z" : "M0 0");
        }
      }
      marks.replaceChildren();
      for (const value of ticks(y)) {
        make("path", { class: "grid", d: `M${left} ${down(value)}H${right}` }, marks);
        make("text", { x: left - 6, y: down(value) + 4, "text-anchor": "end" }, marks).textContent = shown(value);
      }
      for (const value of ticks(x)) {
        make("path", { class: "axis", d: `M${across(value)} ${bottom}v4` }, marks);
        make("text", { x: across(value), y: bottom + 17, "text-anchor": "middle" }, marks).textContent = shown(value);
      }
    };
    // With room for points at the ends.
    const wider = (scale) => {
      if (!scattered) return scale;
      const factor = (scale.high / scale.low) ** 0.04, margin = (scale.high - scale.low) * 0.04;
      return scale.log
        ? { low: scale.low / factor, high: scale.high * factor, log: true }
        : { low: scale.low - margin, high: scale.high + margin, log: scale.log };
    };
    const fit = (range, logX, logY) => {
      const xs = layers.flatMap((layer) => layer.x);
      x = range ? reach(range, logX) : wider(reach(xs, logX));
      const ys = layers.flatMap((layer) =>
        [layer.y, layer.low, layer.high].flatMap((each) =>
          each ? each.filter((_, at) => layer.x[at] >= x.low && layer.x[at] <= x.high) : []));
      y = wider(reach(ys, logY));
      draw();
    };

    const tools = figure.insertBefore(document.createElement("div"), svg.nextSibling);
    tools.className = "tools";
    const button = (text, title, act) => {
      const element = tools.appendChild(document.createElement("button"));
      element.type = "button";
      element.textContent = text;
      element.title = title;
      element.setAttribute("aria-pressed", "false");
      element.addEventListener("click", () => act(element));
      return element;
    };
    let zoomed = null;
    const pressed = (element) => element.getAttribute("aria-pressed") === "true";
    const toggle = (element) => { element.setAttribute("aria-pressed", String(!pressed(element))); again(); };
    const log = {};
    for (const name of ["y", "x"]) {
      if (plot.dataset.log.includes(name)) log[name] = button(`log ${name}`, `A logarithmic ${name} axis`, toggle);
    }
    const chosen = (name) => (log[name] ? pressed(log[name]) : first[name].log);
    const again = () => fit(zoomed, chosen("x"), chosen("y"));
    const whole = button("whole", "All of the curves; so does a double click", () => reset());
    whole.removeAttribute("aria-pressed");
    whole.hidden = true;
    for (const name in log) log[name].setAttribute("aria-pressed", String(first[name].log));
    const reset = () => { zoomed = null; whole.hidden = true; again(); };

    const cursor = make("path", { class: "axis cursor", d: "" }, svg);
    const box = make("rect", { class: "zoom", y: top, height: bottom - top, width: 0 }, svg);
    const tip = figure.appendChild(document.createElement("div"));
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    const nearest = (xs, value) => {
      let best = 0;
      xs.forEach((each, at) => { if (Math.abs(each - value) < Math.abs(xs[best] - value)) best = at; });
      return best;
    };
    // The places along x that are pointed at, in their order: of curves, where there are any.
    const longest = (some) => some.reduce((a, b) => (b.x.length > a.x.length ? b : a));
    const curves = layers.filter((layer) => layer.curve);
    const stops = [...longest(curves.length ? curves : layers).x].sort((a, b) => a - b);
    let pointed = 0;
    const point = (value) => {
      pointed = nearest(stops, value);
      const at = across(stops[pointed]);
      if (!(at >= left - 1 && at <= right + 1)) return hide();
      cursor.setAttribute("d", `M${at.toFixed(1)} ${top}V${bottom}`);
      tip.replaceChildren();
      const line = (text, number) => {
        const row = tip.appendChild(document.createElement("div"));
        if (number !== undefined) row.className = "s" + number;
        row.textContent = text;
      };
      line(shown(stops[pointed]));
      layers.slice(0, 16).forEach((layer) => {
        const near = nearest(layer.x, stops[pointed]);
        // Between two points there is nothing to say.
        if (!layer.curve && !(Math.abs(across(layer.x[near]) - at) < 6)) return;
        const spread = layer.high ? ` ± ${shown(layer.high[near] - layer.y[near])}` : "";
        line(`${layer.name.slice(0, 40)}: ${shown(layer.y[near])}${spread}`, layer.group.getAttribute("class").slice(1));
      });
      tip.hidden = false;
      const share = (at / svg.viewBox.baseVal.width) * svg.clientWidth;
      const before = share > figure.clientWidth / 2;
      tip.style.left = before ? "" : `${share + svg.offsetLeft + 28}px`;
      tip.style.right = before ? `${figure.clientWidth - share - 4}px` : "";
    };
    const hide = () => { tip.hidden = true; cursor.setAttribute("d", ""); };
    const placeOf = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    let from = null;
    svg.addEventListener("pointermove", (event) => {
      const at = Math.min(Math.max(placeOf(event), left), right);
      point(valueAt(at));
      if (from !== null) {
        box.setAttribute("x", Math.min(from, at));
        box.setAttribute("width", Math.abs(at - from));
      }
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button) return;
      from = Math.min(Math.max(placeOf(event), left), right);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointerup", (event) => {
      const at = Math.min(Math.max(placeOf(event), left), right);
      box.setAttribute("width", 0);
      if (from !== null && Math.abs(at - from) > 8) {
        zoomed = [valueAt(Math.min(from, at)), valueAt(Math.max(from, at))];
        whole.hidden = false;
        again();
      }
      from = null;
    });
    svg.addEventListener("dblclick", reset);
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        event.preventDefault();
        point(stops[Math.min(Math.max(pointed + step, 0), stops.length - 1)]);
      } else if (event.key === "Escape") hide();
    });
    // What is printed is what was drawn.
    addEventListener("beforeprint", () => { hide(); if (redrawn) reset(); });
  };
  document.querySelectorAll("g.plot[data-frame]").forEach(live);

  const ways = document.querySelector(".ways");
  const follow = (event) => {
    const key = { n: "next", ArrowRight: "next", p: "prev", ArrowLeft: "prev" }[event.key];
    if (!key || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    // Where something is scrolled or typed into, arrows are its own.
    if (event.target.closest("pre,.scroll,input") && event.key.length > 1) return;
    const here = document.getElementById(location.hash.slice(1));
    const from = here && here.querySelector(".ways") ? here : ways.closest("section");
    const link = from.querySelector(`.ways a[rel=${key}]`);
    if (!link) return;
    event.preventDefault();
    link.click();
  };
  if (ways) {
    const hint = document.querySelector("header").appendChild(document.createElement("p"));
    hint.className = "keys";
    const parts = ["Keys: ", "→", " or ", "n", " to the next step, ", "←", " or ", "p", " to the one before."];
    for (const [at, part] of parts.entries()) {
      hint.appendChild(at % 2 ? document.createElement("kbd") : document.createElement("span")).textContent = part;
    }
    addEventListener("keydown", follow);
  }
  document.documentElement.classList.add("live");
})();
