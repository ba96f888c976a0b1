// What the interactive figures share: numbers as text, scales, elements, panels and sliders. It is
// put before a figure's own code, so that the two are one module, with nothing to import.

// Numbers as text

function fixed(value, digits = 3) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) ? `−${text}` : text;
}

function signed(value, digits = 3) {
  return (value > 0 && Number(value.toFixed(digits)) ? "+" : "") + fixed(value, digits);
}

function percent(share) {
  return `${fixed(100 * share, share < 0.0995 ? 1 : 0)} %`;
}

// Scales

/** The function that takes the interval [a, b] to [from, to]. */
function scale([a, b], [from, to]) {
  return (value) => from + ((value - a) / (b - a || 1)) * (to - from);
}

/** The smallest 1, 2 or 5 times a power of ten of which at most `count` fit into `extent`. */
function niceStep(extent, count) {
  const power = 10 ** Math.floor(Math.log10(extent / count));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => extent / step <= count * 1.0001);
}

/** The largest 1, 2 or 5 times a power of ten that is not above `value`, and at least 1. */
function niceFloor(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [5, 2, 1].find((m) => m * power <= Math.max(1, value)) * power;
}

/** At most `count` round numbers from `low` to `high`, and the digits they need. */
function niceTicks(low, high, count) {
  const step = niceStep(high - low || 1, count), first = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let k = first; k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

// Elements

const WIDTH = 340; // of every drawing, in its own units; about its pixels on a screen

function svg(parent, tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
}

function html(parent, tag, properties = {}, attributes = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

// Pieces of an SVG path; a point is [x, y].

const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
const line = (points) => points.map(([x, y], k) => (k ? "L" : "M") + at(x, y)).join("");
const triangle = ([x, y], r) => `M${at(x, y - 1.2 * r)}l${1.1 * r} ${2 * r}h${-2.2 * r}z`;

function circle([x, y], r) {
  return `M${at(x - r, y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

/** A titled drawing; `say` sets the numbers beside the title, which a screen reader gets too. */
function panel(parent, title, height) {
  const box = html(parent, "div", { className: "mg-panel" }, { role: "group" });
  const head = html(box, "div", { className: "mg-head" });
  html(head, "span", { className: "mg-title", textContent: title });
  const reading = html(head, "span");
  const drawing = svg(box, "svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img" });
  box.setAttribute("aria-label", title);
  const say = (text) => {
    reading.textContent = text;
    drawing.setAttribute("aria-label", `${title}: ${text}`);
  };
  return { box, drawing, say };
}

/** Lines across a drawing at `yTicks`, numbers at both axes, and the name of the horizontal one. */
function axes(drawing, { left, right, bottom, foot }) {
  const lines = svg(drawing, "path", { class: "mg-faint" }), numbers = svg(drawing, "g");
  const label = svg(drawing, "text", { x: (left + right) / 2, y: foot, class: "mg-middle" });
  return (y, { ticks, digits }, x, xTicks, name) => {
    lines.setAttribute("d", ticks.map((t) => line([[left, y(t)], [right, y(t)]])).join(""));
    numbers.replaceChildren();
    for (const t of ticks) {
      svg(numbers, "text", { x: left - 6, y: y(t) + 4, class: "mg-end" }, fixed(t, digits));
    }
    for (const t of xTicks) {
      const place = { x: x(t), y: bottom + 16, class: "mg-middle" };
      svg(numbers, "text", place, fixed(t, t % 1 ? 1 : 0));
    }
    label.textContent = name;
  };
}

const CONTROL = {
  autocomplete: "off", // or a browser that comes back to the page moves it, and not the picture
  "data-lm-suppress-shortcuts": "", // or JupyterLab takes the arrow keys
};

/** A labelled range input that calls `change`; `show` sets what it offers and where it stands. */
function slider(parent, change) {
  const label = html(parent, "label", { className: "mg-slider" });
  const name = html(label, "span"), value = html(label, "span", { className: "mg-value" });
  const input = html(label, "input", { type: "range" }, CONTROL);
  const marks = html(label, "span", { className: "mg-marks" }, { "aria-hidden": "true" });
  input.addEventListener("input", () => change(Number(input.value)));
  let offered = "";
  const show = (offer, position, text) => {
    const { min, max, step } = offer;
    if (offered !== offer.name + max) {
      offered = offer.name + max;
      Object.assign(input, { min, max, step });
      name.textContent = offer.name;
      input.setAttribute("aria-label", offer.name);
      marks.replaceChildren();
      for (const [mark, word] of offer.marks ?? []) {
        const part = (mark - min) / (max - min); // the middle of the thumb stays 8px from the ends
        const left = `calc(8px + (100% - 16px) * ${part})`;
        html(marks, "span", { textContent: word }).style.left = left;
      }
    }
    input.value = position;
    input.setAttribute("aria-valuetext", text);
    value.textContent = text;
  };
  return { label, show };
}

/** Radio buttons, one of which is on; `show` says which. */
function choice(parent, legend, names, change) {
  const set = html(parent, "fieldset", { className: "mg-choice" });
  html(set, "legend", { textContent: legend });
  const group = `mg-${Math.random().toString(36).slice(2)}`; // not that of another figure
  const radios = names.map((name) => {
    const label = html(set, "label");
    const radio = html(label, "input", { type: "radio", name: group, value: name }, CONTROL);
    html(label, "span", { textContent: name });
    radio.addEventListener("change", () => change(name));
    return radio;
  });
  const show = (name) => radios.forEach((radio) => { radio.checked = radio.value === name; });
  return { set, show };
}

/** One of several words, chosen from a list; `show` says which. */
function dropdown(parent, name, words, change) {
  const label = html(parent, "label", { className: "mg-dropdown" });
  html(label, "span", { textContent: name });
  const list = html(label, "select", {}, { ...CONTROL, "aria-label": name });
  for (const word of words) html(list, "option", { value: word, textContent: word });
  list.addEventListener("change", () => change(list.value));
  return { label, show: (word) => { list.value = word; } };
}

function button(parent, textContent, call) {
  const made = html(parent, "button", { type: "button", textContent }, CONTROL);
  made.addEventListener("click", call);
  return made;
}

/** What the reader and Python change, and one drawing a frame that follows; `draw` returns what a
 * listener hears once the hand rests. */
function live(model, root, names, draw) {
  const spoken = html(root, "p", { className: "mg-spoken" }, { "aria-live": "polite" });
  const initial = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  let frame = 0, pause = 0, words = "", ended = false;
  const speak = () => { spoken.textContent = words; };
  const redraw = () => {
    frame = 0;
    words = draw();
    clearTimeout(pause);
    pause = setTimeout(speak, 600);
  };
  const schedule = () => { if (!ended) frame ||= requestAnimationFrame(redraw); };
  const put = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  for (const name of names) model.on(`change:${name}`, schedule);
  const start = () => {
    words = draw();
    speak();
  };
  const end = () => {
    ended = true;
    for (const name of names) model.off(`change:${name}`, schedule);
    cancelAnimationFrame(frame);
    clearTimeout(pause);
  };
  return { put, schedule, start, end, initial, reset: () => put(initial) };
}

/** Runs `step` once a frame until it returns false, or is stopped; `show` says whether it runs.
 * Where the system asks for less motion, a start goes to the end at once. */
function runner(step, show) {
  let frame = 0;
  const run = () => {
    frame = step() ? requestAnimationFrame(run) : 0;
    if (!frame) show(false);
  };
  const stop = () => {
    if (frame) show(false);
    cancelAnimationFrame(frame);
    frame = 0;
  };
  const start = () => {
    stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      for (let k = 0; k < 5000 && step(); k++);
      show(false);
      return;
    }
    show(true);
    frame = requestAnimationFrame(run);
  };
  return { start, stop, toggle: () => (frame ? stop() : start()) };
}

/** Lets points of a drawing be dragged by pointer: `find` gives the point at a place, or null. */
function draggable(drawing, find, move, done) {
  let held = null;
  const spot = (event) => {
    const { left, top, width } = drawing.getBoundingClientRect(), zoom = WIDTH / width;
    return [(event.clientX - left) * zoom, (event.clientY - top) * zoom];
  };
  drawing.addEventListener("pointerdown", (event) => {
    held = find(spot(event));
    if (held === null) return;
    drawing.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  drawing.addEventListener("pointermove", (event) => {
    if (held !== null) move(held, spot(event));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    drawing.addEventListener(name, () => {
      if (held !== null) done();
      held = null;
    });
  }
}
