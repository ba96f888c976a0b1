// The numbers of `moving_gap.js`: the loss along the move of a set, in float64, from the cosines of
// its pairs and their places along the gap; or as they are stored. A "move" is alpha, or on the
// sphere theta. u is the direction from the mean image to the mean text, d is alpha times the gap.

const KINDS = {
  pairs: {
    trait: "alpha", symbol: "α", name: "shift along the gap, α", unit: "", min: -0.5, max: 3,
    step: 0.01, digits: 2, ticks: [0, 1, 2, 3],
    marks: [[-0.5, "wider"], [0.5, "means meet"], [3, "far beyond"]],
  },
  sphere: {
    trait: "theta", symbol: "θ", name: "latitude of the texts, θ", unit: "°", min: -90, max: 90,
    step: 1, digits: 1, ticks: [-90, -45, 0, 45, 90],
    marks: [[-90, "south"], [0, "no gap"], [90, "north"]],
  },
};
KINDS.table = KINDS.pairs; // losses that were stored, of pairs that are not at hand
const STEPS = 70; // between the points of the loss curve
const EYE = { longitude: 30, latitude: 14 }; // above which point of the sphere

/** A set as Python sends it, its base64 texts turned into arrays; and room for its cosines. */
export function unpack({ arrays, ...set }) {
  for (const [name, text] of Object.entries(arrays)) {
    const { buffer } = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    set[name] = set.kind === "table" ? new Float32Array(buffer) : new Float64Array(buffer);
  }
  set.moved = new Float64Array(set.n * set.n);
  return set;
}

/** The temperature that a set is shown at: of a table the stored one that is nearest. */
function shownTemperature({ temperatures }, temperature) {
  const off = (one) => Math.abs(Math.log(one / temperature));
  return temperatures?.reduce((a, b) => (off(b) < off(a) ? b : a)) ?? temperature;
}

/** What a table holds at the stored temperature that is nearest, by the number of the shift. */
function tableRow(set, wanted) {
  const temperature = shownTemperature(set, wanted);
  const start = set.temperatures.indexOf(temperature) * set.alphas.length;
  return (k) => {
    const numerator = set.pull[k] / temperature, denominator = set.denominator[start + k];
    return { loss: set.loss[start + k], numerator, denominator, sum: numerator + denominator };
  };
}

/** Lengths of x + d u and of y - d u; xu and yu hold x . u and y . u. */
function lengths({ xu, yu }, d) {
  const length = (part) => Math.sqrt(1 + 2 * d * part + d * d);
  return [xu.map(length), yu.map((part) => length(-part))];
}

/** Cosines of all moved images with all moved texts, row after row, until the next call. */
function cosines(set, move) {
  const { n, cosine, xu, yu, moved } = set;
  if (set.kind === "sphere") {
    const factor = Math.cos(move * RADIANS);
    for (let k = 0; k < n * n; k++) moved[k] = factor * cosine[k];
    return moved;
  }
  const d = move * set.gap, [ofX, ofY] = lengths(set, d);
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      moved[k] = (cosine[k] + d * (yu[j] - xu[i]) - d * d) / (ofX[i] * ofY[j]);
    }
  }
  return moved;
}

/** The symmetric loss; the two terms of its image-to-text half, and their sum. */
export function measure(set, move, temperature) {
  if (set.kind === "table") {
    const near = set.alphas.reduce((b, alpha, k) =>
      (Math.abs(alpha - move) < Math.abs(set.alphas[b] - move) ? k : b), 0);
    return tableRow(set, temperature)(near);
  }
  return termsOf(set.n, cosines(set, move), temperature);
}

function termsOf(n, moved, temperature) {
  const columns = new Float64Array(n);
  const sharpness = 1 / temperature;
  let numerator = 0, denominator = 0, other = 0;
  for (let i = 0, k = 0; i < n; i++) {
    let row = 0;
    for (let j = 0; j < n; j++, k++) {
      const e = Math.exp(moved[k] * sharpness); // at most e^100: no overflow
      row += e;
      columns[j] += e;
    }
    numerator -= (moved[i * n + i] * sharpness) / n;
    denominator += Math.log(row) / n;
  }
  for (const column of columns) other += Math.log(column) / n;
  const loss = numerator + (denominator + other) / 2;
  return { numerator, denominator, sum: numerator + denominator, loss };
}

/** The softmax over the texts of one image, and its entropy in nats. */
export function softmaxRow(set, move, temperature, image) {
  const row = cosines(set, move).subarray(image * set.n, (image + 1) * set.n);
  const weights = row.map((c) => Math.exp(c / temperature));
  const total = weights.reduce((a, b) => a + b), p = weights.map((weight) => weight / total);
  return { p, entropy: p.reduce((h, q) => (q > 0 ? h - q * Math.log(q) : h), 0) };
}

/** What a temperature fixes: the terms along the whole range and at 0, the smallest loss, and
 * where else the loss has a valley. */
export function curve(set, temperature) {
  const { moves, points, loss } = along(set, temperature);
  const best = points.reduce((b, point, k) => (point.loss < points[b].loss ? k : b), 0);
  const refine = (k) => {
    const around = [moves[Math.max(k - 1, 0)], moves[Math.min(k + 1, moves.length - 1)]];
    const move = loss ? goldenSection(loss, ...around) : moves[k];
    const ends = [moves[0], moves.at(-1)], near = 1e-6 * (ends[1] - ends[0]);
    const end = ends.find((m) => Math.abs(m - move) < near);
    return { move: end ?? move, loss: loss?.(end ?? move) ?? points[k].loss,
      atEnd: end !== undefined };
  };
  const lower = (k, other) => !points[other] || points[k].loss < points[other].loss;
  const others = moves.map((_, k) => k)
    .filter((k) => k !== best && k > 0 && k < moves.length - 1 && lower(k, k - 1) && lower(k, k + 1))
    .map(refine);
  const minimum = refine(best);
  const second = set.kind === "sphere" ? undefined : others
    .filter((valley) => valley.loss > minimum.loss + 0.01).sort((a, b) => a.loss - b.loss)[0];
  return { moves, points, minimum, second, start: measure(set, 0, temperature) };
}

/** The terms along the range; and the loss in between, where it is not a table. */
function along(set, temperature) {
  if (set.kind === "table") {
    const row = tableRow(set, temperature);
    return { moves: Array.from(set.alphas), points: Array.from(set.alphas, (_, k) => row(k)) };
  }
  const { min, max } = KINDS[set.kind], loss = (m) => measure(set, m, temperature).loss;
  const moves = Array.from({ length: STEPS + 1 }, (_, k) => min + ((max - min) * k) / STEPS);
  set.along ??= moves.map((m) => cosines(set, m).slice()); // no temperature changes them
  return { moves, points: set.along.map((moved) => termsOf(set.n, moved, temperature)), loss };
}

function goldenSection(f, low, high) {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let a = high - ratio * (high - low), b = low + ratio * (high - low), fa = f(a), fb = f(b);
  for (let k = 0; k < 22; k++) {
    if (fa < fb) {
      [high, b, fb] = [b, a, fa];
      fa = f((a = high - ratio * (high - low)));
    } else {
      [low, a, fa] = [a, b, fb];
      fb = f((b = low + ratio * (high - low)));
    }
  }
  return (low + high) / 2;
}

/** Where moved images and texts are drawn: across, up, and towards the eye (0 in the plane). */
function places(set, move) {
  if (set.kind === "sphere") {
    const images = Array.from(set.xl, (longitude) => seen(onSphere(0, longitude), EYE));
    return [images, Array.from(set.yl, (longitude) => seen(onSphere(move, longitude), EYE))];
  }
  const d = move * set.gap, [ofX, ofY] = lengths(set, d);
  return [
    Array.from(ofX, (length, i) => [(set.xu[i] + d) / length, set.xv[i] / length, 0]),
    Array.from(ofY, (length, j) => [(set.yu[j] - d) / length, set.yv[j] / length, 0]),
  ];
}

function mean(points) {
  return [0, 1, 2].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
}

/** Distance of the means on the sphere; for pairs its part along u. */
function gapSize(set, clouds) {
  const [x, y] = clouds.map(mean), apart = y.map((value, k) => value - x[k]);
  return set.kind === "sphere" ? Math.hypot(...apart) : apart[0];
}
