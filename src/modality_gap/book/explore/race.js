// Free points on a sphere that go downhill on the symmetric loss, at four temperatures from one
// start. A step is one of the flow of tau times the gradient of n L. The plain gradient takes the
// same way, and is 1 / tau times as far along it: the other clock.

const TRAITS = ["temperatures", "seed", "step", "clock"];
const CLOCKS = ["τ · gradient", "gradient"];
const PAIRS = 24, RATE = 0.02, STEPS = 1500, EVERY = 10; // steps between the points of a curve
const TAU = {
  name: "temperature, τ", min: -2, max: 0, step: 0.02, // of its decimal logarithm
  marks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]],
};
const COLOURS = 4, SLICE = 8; // milliseconds of computing a frame

// Numbers: rows of three, one after the other, in Float64Array

/** The common start: two clouds around opposite poles. */
export function startOf(seed) {
  const draw = normals(seed), cloud = (side) => {
    const rows = Float64Array.from({ length: 3 * PAIRS }, (_, k) =>
      0.5 * draw() + (k % 3 === 0 ? side : 0));
    return normalized(rows);
  };
  return { x: cloud(1), y: cloud(-1) };
}

function normalized(rows) {
  for (let k = 0; k < rows.length; k += 3) {
    const length = Math.hypot(rows[k], rows[k + 1], rows[k + 2]);
    for (let d = 0; d < 3; d++) rows[k + d] /= length;
  }
  return rows;
}

/** Softmax of both directions, averaged, less the identity; and the symmetric loss. */
function pullsOf({ x, y }, temperature) {
  const n = PAIRS, e = new Float64Array(n * n);
  const rows = new Float64Array(n), columns = new Float64Array(n);
  let loss = 0;
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      const a = 3 * i, b = 3 * j, cosine = x[a] * y[b] + x[a + 1] * y[b + 1] + x[a + 2] * y[b + 2];
      e[k] = Math.exp((cosine - 1) / temperature); // at least e^-200: no division by 0
      rows[i] += e[k];
      columns[j] += e[k];
    }
  }
  for (let i = 0; i < n; i++) {
    loss += (Math.log(rows[i]) + Math.log(columns[i])) / 2 - Math.log(e[i * n + i]);
  }
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      e[k] = (e[k] / rows[i] + e[k] / columns[j]) / 2 - (i === j ? 1 : 0);
    }
  }
  return { pulls: e, loss: loss / n };
}

/** One step along the sphere. */
function flow({ x, y }, pulls) {
  const n = PAIRS, gx = new Float64Array(3 * n), gy = new Float64Array(3 * n);
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      for (let d = 0; d < 3; d++) {
        gx[3 * i + d] += pulls[k] * y[3 * j + d];
        gy[3 * j + d] += pulls[k] * x[3 * i + d];
      }
    }
  }
  const moved = (rows, g) => normalized(rows.map((value, k) => {
    const a = k - (k % 3), along = rows[a] * g[a] + rows[a + 1] * g[a + 1] + rows[a + 2] * g[a + 2];
    return value - RATE * (g[k] - along * value);
  }));
  return { x: moved(x, gx), y: moved(y, gy) };
}

/** A race of one temperature, to be driven by `advance`. */
export function newRun(seed, temperature) {
  const run = { temperature, place: startOf(seed), kept: [] };
  advance(run);
  return run;
}

/** One step further; every place is kept, with its loss and its gap. */
export function advance(run) {
  const { pulls, loss } = pullsOf(run.place, run.temperature);
  run.kept.push({ ...run.place, loss, l2m: l2m(run.place) });
  run.place = flow(run.place, pulls);
}

/** The step of a run at a time of the clock: the coldest run's own steps are its ticks. */
export function stepAt(time, temperature, coldest, clock) {
  return clock === CLOCKS[0] ? time : Math.round((time * coldest) / temperature);
}

function l2m({ x, y }) {
  const mean = [0, 0, 0];
  for (let k = 0; k < x.length; k++) mean[k % 3] += (x[k] - y[k]) / PAIRS;
  return Math.hypot(...mean);
}

// Drawings

function drawGlobe(parent, number, change) {
  const size = 150, box = html(parent, "div", { className: "mg-panel" }, { role: "group" });
  const { label, show } = slider(box, (value) => change(Number((10 ** value).toPrecision(3))));
  const drawing = svg(box, "svg", { viewBox: `0 0 ${size} ${size}`, role: "img" });
  const names = ["around", "links", "image-far", "text-far", "image", "text", "means"];
  const layers = names.map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  const key = svg(drawing, "path", { class: `mg-line mg-line-${number}` });
  key.setAttribute("d", "M2 8h22");
  const middle = [size / 2, size / 2], radius = size / 2 - 4;
  const to = (rows, k) => [middle[0] - radius * rows[k], middle[1] - radius * rows[k + 1]];
  return ({ x, y, l2m: gap, loss }, temperature) => {
    const marks = (rows, mark, far) => Array.from({ length: PAIRS }, (_, i) => 3 * i)
      .filter((k) => rows[k + 2] < 0 === far).map((k) => mark(to(rows, k), 2.6)).join("");
    const mean = (rows) => {
      const sum = [0, 0];
      for (let k = 0; k < rows.length; k += 3) {
        to(rows, k).forEach((v, d) => { sum[d] += v / PAIRS; });
      }
      return sum;
    };
    [
      circle(middle, radius),
      Array.from({ length: PAIRS }, (_, i) => line([to(x, 3 * i), to(y, 3 * i)])).join(""),
      marks(x, circle, true), marks(y, triangle, true),
      marks(x, circle, false), marks(y, triangle, false), line([mean(x), mean(y)]),
    ].forEach((d, k) => layers[k].setAttribute("d", d));
    show(TAU, Math.log10(temperature), `τ = ${temperature}`);
    label.querySelector("input").setAttribute("aria-label", `temperature of run ${number + 1}`);
    drawing.setAttribute("aria-label", `Temperature ${temperature}: L2M ${fixed(gap, 2)}, ` +
      `loss ${fixed(loss, 2)}`);
    box.setAttribute("aria-label", `run ${number + 1}`);
  };
}

/** Curves of the four runs over time; `offer` gives the vertical scale's ends and its ticks. */
function drawCurves(parent, title, value, offer) {
  const box = { left: 40, right: WIDTH - 8, top: 10, bottom: 170, foot: 204 };
  const { drawing, say } = panel(parent, title, 210), setAxes = axes(drawing, box);
  const x = scale([0, STEPS], [box.left, box.right]);
  const now = svg(drawing, "path", { class: "mg-now" });
  const paths = Array.from({ length: COLOURS }, (_, k) =>
    svg(drawing, "path", { class: `mg-line mg-line-${k}` }));
  return (runs, time, at) => {
    const { ends, ticks, bend } = offer;
    const y = scale(ends.map(bend), [box.bottom, box.top]);
    const inside = (v) => Math.max(Math.min(y(bend(v)), box.bottom), box.top);
    setAxes((t) => y(bend(t)), ticks, x, [0, 500, 1000, 1500], "time");
    const times = Array.from({ length: STEPS / EVERY + 1 }, (_, k) => k * EVERY);
    runs.forEach((run, k) => paths[k].setAttribute("d", line(times
      .filter((t) => at(t, run) < run.kept.length)
      .map((t) => [x(t), inside(value(run.kept[at(t, run)]))]))));
    now.setAttribute("d", line([[x(time), box.top], [x(time), box.bottom]]));
    say(runs.map((run) => fixed(value(run.shown), 2)).join(", "));
  };
}

// The figure

function render({ model, el }) {
  const root = html(el, "div", { className: "mg-explore mg-race" });
  const { put, schedule, ...figure } = live(model, root, TRAITS, () => draw());
  const known = new Map();
  /** The runs at the present temperatures; what was computed before is not computed again. */
  const runs = () => model.get("temperatures").map((temperature) => {
    const name = `${model.get("seed")} ${temperature}`;
    return known.get(name) ?? known.set(name, newRun(model.get("seed"), temperature)).get(name);
  });
  const clocks = choice(root, "what the points follow", CLOCKS, (clock) => put({ clock }));
  const row = html(root, "div", { className: "mg-actions" });
  const race = runner(() => {
    const step = Math.min(model.get("step") + 2 * EVERY, STEPS);
    model.set("step", step);
    return step < STEPS;
  }, (going) => {
    racing.textContent = going ? "stop" : "race";
    if (!going) put({});
  });
  const racing = button(row, "race", () => {
    if (racing.textContent === "race" && model.get("step") === STEPS) put({ step: 0 });
    race.toggle();
  });
  button(row, "another start", () => put({ seed: model.get("seed") + 1 }));
  button(row, "reset", () => {
    race.stop();
    figure.reset();
  });
  const slide = slider(root, (step) => put({ step }));
  const globes = html(root, "div", { className: "mg-globes" });
  const drawings = Array.from({ length: COLOURS }, (_, k) => drawGlobe(globes, k, (own) =>
    put({ temperatures: model.get("temperatures").map((old, i) => (i === k ? own : old)) })));
  const grid = html(root, "div", { className: "mg-grid" });
  const plain = (v) => v, log = (v) => Math.log(v);
  const curves = [
    drawCurves(grid, "L2M", (kept) => kept.l2m, {
      ends: [0, 2], ticks: { ticks: [0, 0.5, 1, 1.5, 2], digits: 1 }, bend: plain }),
    drawCurves(grid, "Loss (logarithmic)", (kept) => kept.loss, {
      ends: [0.3, 12], ticks: { ticks: [0.5, 1, 2, 5, 10], digits: 1 }, bend: log }),
  ];
  const draw = () => {
    const now = runs(), time = model.get("step"), clock = model.get("clock");
    const coldest = Math.min(...model.get("temperatures")), end = performance.now() + SLICE;
    const at = (t, run) => stepAt(t, run.temperature, coldest, clock);
    const behind = () => now.filter((run) => run.kept.length <= at(STEPS, run))
      .sort((a, b) => a.kept.length - b.kept.length)[0];
    let slowest = behind();
    for (; slowest && performance.now() < end; slowest = behind()) advance(slowest);
    if (slowest) schedule();
    for (const run of now) run.shown = run.kept[Math.min(at(time, run), run.kept.length - 1)];
    clocks.show(clock);
    slide.show({ name: "time", min: 0, max: STEPS, step: EVERY,
      marks: [[0, "start"], [STEPS, `${STEPS}`]] }, time, `${time}`);
    now.forEach((run, k) => drawings[k](run.shown, run.temperature));
    for (const curve of curves) curve(now, time, at);
    return `The points follow ${clock}. Time ${time}. ` + now.map((run) => `At temperature ${run.temperature} L2M is ` +
      `${fixed(run.shown.l2m, 2)} and the loss ${fixed(run.shown.loss, 2)}.`).join(" ");
  };
  figure.start();
  return () => {
    race.stop();
    figure.end();
  };
}

export default { render };
