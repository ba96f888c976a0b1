// Pairs of points on a circle: alignment pulls partners together, uniformity pushes images apart.
// Angles are in degrees; x and y are the two views of the same images.

const TRAITS = ["x", "y", "pull", "push"];
const PRESETS = { "pull alone": [1, 0], "push alone": [0, 1], both: [1, 1] };
const WEIGHT = { min: 0, max: 2, step: 0.05, marks: [[0, "0"], [1, "1"], [2, "2"]] };
const SHARPNESS = 2; // t of the uniformity
const RATE = 0.1, STEPS = 3, STILL = 1e-4; // of the flow: a step, steps a frame, where it ends
const RADIANS = Math.PI / 180;

// Numbers

/** Mean squared distance of the pairs. */
export function alignment(x, y) {
  return x.reduce((sum, a, i) => sum + 2 - 2 * Math.cos((a - y[i]) * RADIANS), 0) / x.length;
}

/** Logarithm of the mean of exp(-t d^2) over the pairs i < j of one view. */
export function uniformity(x) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) sum += bump(x[i] - x[j]);
  }
  return Math.log(sum / ((x.length * (x.length - 1)) / 2));
}

const bump = (angle) => Math.exp(-SHARPNESS * (2 - 2 * Math.cos(angle * RADIANS)));

export function measure({ x, y, pull, push }) {
  const align = alignment(x, y), uniform = (uniformity(x) + uniformity(y)) / 2;
  return { align, uniform, loss: pull * align + push * uniform };
}

/** What moves each point, downhill by each force, in radians: of x, then of y. */
export function forces({ x, y }) {
  const pulls = (a, b) => a.map((angle, i) => (-2 * Math.sin((angle - b[i]) * RADIANS)) / a.length);
  const pushes = (a) => {
    const between = a.map((one) => a.map((other) => (one === other ? 0 : bump(one - other))));
    const total = between.flat().reduce((sum, value) => sum + value, 0) / 2 + pairsAtOnePlace(a);
    return a.map((one, i) => a.reduce((sum, other, j) => sum +
      between[i][j] * 2 * SHARPNESS * Math.sin((one - other) * RADIANS), 0) / (2 * total));
  };
  return { pull: [pulls(x, y), pulls(y, x)], push: [pushes(x), pushes(y)] };
}

/** Pairs of points at the same angle: they feel no force, and count in the mean of all. */
function pairsAtOnePlace(a) {
  return a.reduce((sum, one, i) => sum + a.slice(0, i).filter((other) => other === one).length, 0);
}

/** One step of the flow, and the largest move of a point in radians. */
export function flow(state) {
  const { pull, push } = forces(state), moved = {};
  let largest = 0;
  for (const [side, name] of [[0, "x"], [1, "y"]]) {
    moved[name] = state[name].map((angle, i) => {
      const move = state.pull * pull[side][i] + state.push * push[side][i];
      largest = Math.max(largest, Math.abs(move));
      return angle + (RATE * move) / RADIANS;
    });
  }
  return { ...moved, largest };
}

/** The smallest uniformity of n points: evenly spread. */
export const evenly = (n) => uniformity(Array.from({ length: n }, (_, i) => (360 * i) / n));

// Drawings

const CENTRE = [170, 158], RADIUS = 122;
const onCircle = (angle, r = RADIUS) =>
  [CENTRE[0] + r * Math.cos(angle * RADIANS), CENTRE[1] - r * Math.sin(angle * RADIANS)];
const rounded = (angle) => Math.round((((angle % 360) + 360) % 360) * 10) / 10;

function drawCircle(parent, move, done) {
  const { drawing, say } = panel(parent, "The points", 316);
  drawing.removeAttribute("role"); // it holds what can be focused
  drawing.classList.add("mg-drag");
  const names = ["around", "pairs", "pull", "push"];
  const layers = names.map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  svg(drawing, "text", { x: 2, y: 312 }, "arrows: the pull inside the circle, the push outside");
  const marks = [];
  let state = null;
  const nearest = ([u, v]) => {
    const all = ["x", "y"].flatMap((name) => state[name].map((angle, i) => ({ name, i, angle })));
    const far = ({ angle }) => Math.hypot(onCircle(angle)[0] - u, onCircle(angle)[1] - v);
    const best = all.reduce((a, b) => (far(b) < far(a) ? b : a));
    return far(best) < 30 ? best : null;
  };
  draggable(drawing, nearest, ({ name, i }, [u, v]) =>
    move(name, i, () => rounded(Math.atan2(CENTRE[1] - v, u - CENTRE[0]) / RADIANS)), done);
  /** An arrow along the circle at radius r, 30 times as long as the force; at most 35 degrees. */
  const arrow = (angle, force, r) => {
    const turn = Math.max(-35, Math.min(35, (30 * force) / RADIANS)), tip = angle + turn;
    if (Math.abs(turn) < 0.7) return "";
    const path = Array.from({ length: 7 }, (_, k) => onCircle(angle + (turn * k) / 6, r));
    const back = tip - Math.sign(turn) * 4;
    return line(path) + line([onCircle(back, r - 4), onCircle(tip, r), onCircle(back, r + 4)]);
  };
  return (next, forced) => {
    state = next;
    const { x, y } = state, n = x.length;
    while (marks.length < 2 * n) {
      const k = marks.length, [name, i] = [k < n ? "x" : "y", k % n];
      const mark = svg(drawing, "g", { tabindex: 0, role: "slider", class: "mg-mark",
        "aria-label": `view ${name} of image ${i + 1}`, "aria-valuemin": 0, "aria-valuemax": 360,
        "data-lm-suppress-shortcuts": "" });
      svg(mark, "path");
      svg(mark, "text", { class: "mg-middle" }, `${i + 1}`);
      mark.addEventListener("keydown", (event) => {
        const turn = { ArrowLeft: 3, ArrowUp: 3, ArrowRight: -3, ArrowDown: -3 }[event.key];
        if (!turn) return;
        event.preventDefault();
        move(name, i, (angle) => rounded(angle + turn)); // there may be two presses a frame
        done();
      });
      marks.push(mark);
    }
    marks.forEach((mark, k) => {
      const angle = k < n ? x[k] : y[k - n], [path, text] = mark.children;
      path.setAttribute("d", k < n ? circle(onCircle(angle), 6) : triangle(onCircle(angle), 6));
      const [u, v] = onCircle(angle, RADIUS + 27);
      text.setAttribute("x", u);
      text.setAttribute("y", v + 4);
      mark.setAttribute("aria-valuenow", rounded(angle));
      mark.setAttribute("aria-valuetext", `${Math.round(rounded(angle))} degrees`);
    });
    const arrows = (name, r) => ["x", "y"].map((side, s) => state[side].map((angle, i) =>
      arrow(angle, forced[name][s][i] * state[name], r)).join("")).join("");
    [
      circle(CENTRE, RADIUS), x.map((angle, i) => line([onCircle(angle), onCircle(y[i])])).join(""),
      arrows("pull", RADIUS - 14), arrows("push", RADIUS + 13),
    ].forEach((d, k) => layers[k].setAttribute("d", d));
    say(`${n} images, two views each: ● x, ▲ y`);
  };
}

function drawTerms(parent, n) {
  const { drawing, say } = panel(parent, "The two terms", 188), best = evenly(n);
  const bars = [["align", 0, 4, "alignment: 0 is best"], ["uniform", best * 1.12, 0,
    "uniformity: the mark is the best possible"]].map(([name, low, high, words], k) => {
    const top = 26 + 88 * k, x = scale([low, high], [2, WIDTH - 2]);
    svg(drawing, "text", { x: 2, y: top - 10 }, words);
    svg(drawing, "rect", { x: 2, y: top, width: WIDTH - 4, height: 18, class: "mg-track" });
    const bar = svg(drawing, "rect", { y: top, height: 18, class: `mg-${name}` });
    const mark = name === "uniform" ? best : 0;
    svg(drawing, "path", { d: line([[x(mark), top - 3], [x(mark), top + 21]]), class: "mg-zero" });
    const value = svg(drawing, "text", { x: WIDTH - 2, y: top - 10, class: "mg-end mg-strong" });
    for (const t of niceTicks(low, high, 4).ticks) {
      svg(drawing, "text", { x: Math.min(Math.max(x(t), 8), WIDTH - 8), y: top + 36,
        class: "mg-middle" }, fixed(t, 0));
    }
    return { name, x, bar, value };
  });
  return (now) => {
    for (const { name, x, bar, value } of bars) {
      const [from, to] = [x(name === "align" ? 0 : Math.max(now.uniform, best * 1.12)),
        x(name === "align" ? now.align : 0)];
      bar.setAttribute("x", from);
      bar.setAttribute("width", Math.max(to - from, 0));
      value.textContent = fixed(now[name], 3);
    }
    say(`weighted sum ${fixed(now.loss)}`);
  };
}

// The figure

function render({ model, el }) {
  const root = html(el, "div", { className: "mg-explore mg-forces" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const read = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const presets = choice(root, "forces", Object.keys(PRESETS), (name) => {
    const [pull, push] = PRESETS[name];
    put({ pull, push });
  });
  const row = html(root, "div", { className: "mg-actions" });
  const step = () => {
    let state = read();
    for (let k = 0; k < STEPS; k++) state = { ...state, ...flow(state) };
    const { x, y, largest } = state;
    model.set("x", x);
    model.set("y", y);
    return largest > STILL;
  };
  const run = runner(step, (runs) => {
    flowing.textContent = runs ? "stop" : "flow";
    if (!runs) put({});
  });
  const flowing = button(row, "flow", run.toggle);
  button(row, "scatter again", () => {
    run.stop();
    put({ x: figure.initial.x, y: figure.initial.y });
  });
  button(row, "reset", () => {
    run.stop();
    figure.reset();
  });
  const grid = html(root, "div", { className: "mg-grid" });
  const circleOf = drawCircle(grid, (name, i, change) =>
    model.set(name, model.get(name).map((old, k) => (k === i ? change(old) : old))), () => put({}));
  const side = html(grid, "div", { className: "mg-side" });
  const terms = drawTerms(side, model.get("x").length);
  const pull = slider(side, (value) => put({ pull: value }));
  const push = slider(side, (value) => put({ push: value }));
  const draw = () => {
    const state = read(), now = measure(state);
    const preset = Object.keys(PRESETS).find((name) =>
      PRESETS[name][0] === state.pull && PRESETS[name][1] === state.push);
    presets.show(preset);
    pull.show({ name: "weight of the pull", ...WEIGHT }, state.pull, fixed(state.pull, 2));
    push.show({ name: "weight of the push", ...WEIGHT }, state.push, fixed(state.push, 2));
    circleOf(state, forces(state));
    terms(now);
    return `Alignment ${fixed(now.align)}, uniformity ${fixed(now.uniform)}, of which ` +
      `${fixed(evenly(state.x.length))} is the smallest. Weighted sum ${fixed(now.loss)}.`;
  };
  figure.start();
  return () => {
    run.stop();
    figure.end();
  };
}

export default { render };
