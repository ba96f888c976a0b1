// Two towers of random weights: their clouds on a globe, and what is left of gap and loss while one
// cloud is turned onto the other. Rows are [x, y, z] of unit length; row i of both towers is the
// same input.

const TRAITS = ["a", "b", "layers", "turned", "temperature", "longitude", "latitude"];
const LAYERS = [2, 5, 10], INPUTS = 60, STEPS = 30; // between the points of a curve
const TAU = {
  name: "temperature, τ", min: -2, max: 0, step: 0.01, // of its decimal logarithm
  marks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]],
};
const TURN = { name: "tower B, turned onto A", min: 0, max: 1, step: 0.01,
  marks: [[0, "as drawn"], [1, "onto A"]] };
const CENTRE = [WIDTH / 2, 150], RADIUS = 142;

// Numbers

const decode = (text) => Float64Array.from(new Float32Array(
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer));

/** By layer: the cloud of every draw, and of each pair of draws what turns it and its gap. */
export function unpack(packed, draws) {
  return Object.fromEntries(LAYERS.map((layers) => {
    const { clouds, turns, gaps } = packed[layers], flat = decode(clouds);
    const row = (k) => {
      const own = Array.from(flat.subarray(3 * k, 3 * k + 3)), length = Math.hypot(...own);
      return own.map((value) => value / length);
    };
    const cloud = (seed) => Array.from({ length: INPUTS }, (_, i) => row(seed * INPUTS + i));
    return [layers, { clouds: Array.from({ length: draws }, (_, seed) => cloud(seed)),
      turns: decode(turns), gaps: decode(gaps) }];
  }));
}

const pairOf = (a, b) => (Math.max(a, b) * (Math.max(a, b) - 1)) / 2 + Math.min(a, b);

/** The cloud of draw b, turned a part of the way onto that of draw a. */
export function turnedCloud({ clouds, turns }, a, b, part) {
  if (a === b) return clouds[b];
  const k = 3 * pairOf(a, b), vector = Array.from(turns.subarray(k, k + 3));
  const whole = Math.hypot(...vector), angle = whole * part * (a < b ? 1 : -1);
  const [u, v, w] = vector.map((value) => value / whole);
  const c = Math.cos(angle), s = Math.sin(angle);
  return clouds[b].map(([x, y, z]) => {
    const along = (u * x + v * y + w * z) * (1 - c);
    return [c * x + s * (v * z - w * y) + along * u, c * y + s * (w * x - u * z) + along * v,
      c * z + s * (u * y - v * x) + along * w];
  });
}

const mean = (rows) =>
  [0, 1, 2].map((k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
const apart = (p, q) => Math.hypot(...p.map((value, k) => value - q[k]));

/** Distance of the means, and the symmetric loss. */
export function measure(x, y, temperature) {
  const columns = new Float64Array(y.length);
  let loss = 0;
  x.forEach((row, i) => {
    let sum = 0;
    y.forEach((other, j) => {
      const cosine = row[0] * other[0] + row[1] * other[1] + row[2] * other[2];
      const e = Math.exp(cosine / temperature); // at most e^100: no overflow
      sum += e;
      columns[j] += e;
      if (i === j) loss -= cosine / temperature;
    });
    loss += Math.log(sum) / 2;
  });
  for (const column of columns) loss += Math.log(column) / 2;
  return { l2m: apart(mean(x), mean(y)), loss: loss / x.length };
}

/** From where both clouds are seen: above the middle of their means. */
export function facing(x, y) {
  const [p, q] = [mean(x), mean(y)], [u, v, w] = p.map((value, k) => value + q[k]);
  const degrees = (angle) => Math.round(angle / RADIANS);
  return { longitude: degrees(Math.atan2(v, u)),
    latitude: degrees(Math.atan2(w, Math.hypot(u, v))) };
}

// Drawings

function drawClouds(parent, turn, done) {
  const { drawing, say } = panel(parent, "The two clouds", 330);
  drawing.setAttribute("role", "application");
  drawing.setAttribute("aria-roledescription", "globe that arrow keys turn");
  drawing.setAttribute("tabindex", 0);
  drawing.setAttribute("data-lm-suppress-shortcuts", "");
  const names = ["scenery", "links", "image-far", "text-far", "image", "text", "means"];
  const layers = names.map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  svg(drawing, "path", { class: "mg-image", d: circle([8, 320], 3.5) });
  svg(drawing, "text", { x: 16, y: 324 }, "tower A");
  svg(drawing, "path", { class: "mg-text", d: triangle([82, 320], 3.5) });
  svg(drawing, "text", { x: 90, y: 324 }, "tower B");
  svg(drawing, "text", { x: WIDTH, y: 324, class: "mg-end" }, "drag, or arrow keys");
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10],
      ArrowDown: [0, -10] }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(...step);
    done();
  });
  draggable(drawing, (spot) => ({ spot }), (held, spot) => {
    turn(-0.4 * (spot[0] - held.spot[0]), 0.4 * (spot[1] - held.spot[1]));
    held.spot = spot;
  }, done);
  return (x, y, eye, { l2m }) => {
    const place = ([across, up, ahead]) =>
      [CENTRE[0] + RADIUS * across, CENTRE[1] - RADIUS * up, ahead];
    const [images, texts] = [x, y].map((rows) => rows.map((row) => place(seen(row, eye))));
    const marks = (points, mark, far) =>
      points.filter((point) => point[2] < 0 === far).map((point) => mark(point, 3)).join("");
    [
      graticule(eye, place) + circle(CENTRE, RADIUS),
      images.map((point, i) => line([point, texts[i]])).join(""),
      marks(images, circle, true), marks(texts, triangle, true),
      marks(images, circle, false), marks(texts, triangle, false),
      line([mean(images), mean(texts)]),
    ].forEach((d, k) => layers[k].setAttribute("d", d));
    say(`gap L2M ${fixed(l2m)}`);
  };
}

/** A curve over the turn, where it stands now, and a dashed line at `level` if there is one. */
function drawCurve(parent, title, level, name) {
  const box = { left: 40, right: WIDTH - 8, top: 8, bottom: 96, foot: 128 };
  const { drawing, say } = panel(parent, title, 134), setAxes = axes(drawing, box);
  const dashed = svg(drawing, "path", { class: "mg-level" });
  const path = svg(drawing, "path", { class: "mg-curve" });
  const here = svg(drawing, "circle", { r: 5, class: "mg-here" });
  return (values, turned, now, words) => {
    const top = Math.max(...values, level) * 1.06;
    const x = scale([0, 1], [box.left + 6, box.right - 6]);
    const y = scale([0, top], [box.bottom, box.top]);
    setAxes(y, niceTicks(0, top, 4), x, [0, 0.5, 1], name);
    path.setAttribute("d", line(values.map((value, k) => [x(k / STEPS), y(value)])));
    dashed.setAttribute("d", level ? line([[box.left, y(level)], [box.right, y(level)]]) : "");
    here.setAttribute("cx", x(turned));
    here.setAttribute("cy", y(now));
    say(words);
  };
}

/** The gaps of all pairs of draws: on the globe, and in all dimensions of the last layer. */
function drawPairs(parent) {
  const { drawing, say } = panel(parent, "Gaps of all pairs of draws", 122);
  const x = scale([0, 2], [10, WIDTH - 10]);
  const rows = ["on the globe, 3 dimensions", "in all 512 dimensions"].map((words, k) => {
    const y = 18 + 44 * k;
    svg(drawing, "text", { x: 2, y: y - 6 }, words);
    return { y, strokes: svg(drawing, "path", { class: "mg-strokes" }),
      here: svg(drawing, "path", { class: "mg-here" }) };
  });
  for (const t of [0, 0.5, 1, 1.5, 2]) {
    svg(drawing, "text", { x: x(t), y: 108, class: "mg-middle" }, fixed(t, 1));
  }
  svg(drawing, "text", { x: WIDTH / 2, y: 122, class: "mg-middle" }, "L2M, as drawn");
  return (all, own) => {
    rows.forEach(({ y, strokes, here }, k) => {
      strokes.setAttribute("d", all[k].map((gap) => `M${at(x(gap), y)}v18`).join(""));
      here.setAttribute("d", own ? triangle([x(own[k]), y + 23], 3.5) : "");
    });
    say(own ? `this pair: ${fixed(own[0], 2)}, ${fixed(own[1], 2)}` : "one draw: no gap");
  };
}

// The figure

function render({ model, el }) {
  const draws = model.get("draws"), known = unpack(model.get("packed"), draws);
  const root = html(el, "div", { className: "mg-explore mg-two-cones" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const read = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const again = (name) => {
    run.stop();
    const next = { ...read(), [name]: (model.get(name) + 1) % draws };
    const { clouds } = known[next.layers];
    put({ [name]: next[name], turned: 0, ...facing(clouds[next.a], clouds[next.b]) });
  };
  const depth = choice(root, "layers", LAYERS.map((count) => `${count} layers`), (words) => {
    const layers = parseInt(words, 10), { clouds } = known[layers];
    put({ layers, ...facing(clouds[model.get("a")], clouds[model.get("b")]) });
  });
  const row = html(root, "div", { className: "mg-actions" });
  button(row, "draw A again", () => again("a"));
  button(row, "draw B again", () => again("b"));
  const run = runner(() => {
    const part = Math.min(model.get("turned") + 0.02, 1);
    model.set("turned", part);
    return part < 1;
  }, (runs) => {
    turning.textContent = runs ? "stop" : "turn B onto A";
    if (!runs) put({});
  });
  const turning = button(row, "turn B onto A", () => {
    if (model.get("turned") === 1) put({ turned: 0 });
    run.toggle();
  });
  button(row, "reset", () => {
    run.stop();
    figure.reset();
  });
  const note = html(root, "p", { className: "mg-note" }, { role: "status" });
  const grid = html(root, "div", { className: "mg-grid" });
  const [left, side] = [0, 1].map(() => html(grid, "div", { className: "mg-column" }));
  const clouds = drawClouds(left, (east, north) => {
    const longitude = ((((model.get("longitude") + east + 180) % 360) + 360) % 360) - 180;
    model.set("longitude", longitude);
    model.set("latitude", Math.min(Math.max(model.get("latitude") + north, -90), 90));
  }, () => put({}));
  const part = slider(left, (turned) => put({ turned }));
  const gap = drawCurve(side, "Gap", 0, "part of the turn");
  const tau = slider(side, (value) => put({ temperature: 10 ** value }));
  const loss = drawCurve(side, "InfoNCE", Math.log(INPUTS), "part of the turn; dashed: log 60");
  const pairs = drawPairs(side);
  let curve = {}, strip = {};
  const draw = () => {
    const { a, b, layers, turned, temperature, ...eye } = read(), own = known[layers];
    const key = [a, b, layers, temperature].join(), x = own.clouds[a];
    const at = (t) => measure(x, turnedCloud(own, a, b, t), temperature);
    if (curve.key !== key) {
      const points = Array.from({ length: STEPS + 1 }, (_, k) => at(k / STEPS));
      curve = { key, l2m: points.map((p) => p.l2m), loss: points.map((p) => p.loss) };
    }
    if (strip.layers !== layers) {
      const means = own.clouds.map(mean);
      const globe = means.flatMap((p, high) => means.slice(0, high).map((q) => apart(p, q)));
      strip = { layers, all: [globe, Array.from(own.gaps)] };
    }
    const now = at(turned);
    depth.show(`${layers} layers`);
    part.show(TURN, turned, fixed(turned, 2));
    tau.show(TAU, Math.log10(temperature), `τ = ${temperature.toPrecision(3)}`);
    clouds(x, turnedCloud(own, a, b, turned), eye, now);
    gap(curve.l2m, turned, now.l2m, `L2M ${fixed(now.l2m)}`);
    loss(curve.loss, turned, now.loss, `${fixed(now.loss)}, by chance ${fixed(Math.log(INPUTS))}`);
    pairs(strip.all, a === b ? null : strip.all.map((gaps) => gaps[pairOf(a, b)]));
    note.textContent = `Tower A is draw ${a + 1}, tower B is draw ${b + 1} of ${draws}.` +
      (a === b ? " That is one network, seen twice: there is no gap to turn away." : "");
    return `${note.textContent} ${layers} layers, B turned by ${fixed(turned, 2)}: L2M ` +
      `${fixed(now.l2m)}, InfoNCE ${fixed(now.loss)} at τ = ${temperature.toPrecision(3)}.`;
  };
  figure.start();
  return () => {
    run.stop();
    figure.end();
  };
}

export default { render };
