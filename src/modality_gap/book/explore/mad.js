// Pictures of MAD, as `modality_gap.lab.mad.shapes` draws them: every shape is a threshold on the
// distance to the digit's medial axis. Lengths are in pixels of the picture, points are [row,
// column]; the drawing grid has FINE x FINE points a pixel.

const SIDE = 28, FINE = 4, GRID = SIDE * FINE;
const HALF_WIDTHS = { medium: 1, thick: 2.1, thin: 0.45 };
const SWELLING_RADIUS = 7.5, CUT_WIDTH = 3, CUT_REACH = 3.1, SHRINK = 0.75, BLUR = 0.4;
const CHANNELS = {
  grey: [0.5, 0.5, 0.5], red: [1, 0, 0], green: [0, 1, 0], blue: [0, 0, 1],
  cyan: [0, 1, 1], magenta: [1, 0, 1], yellow: [1, 1, 0],
};

/** Distance of every point of the grid to the nearest that is on, in pixels. */
export function distanceField(on) {
  const along = new Float64Array(GRID * GRID), field = new Float64Array(GRID * GRID);
  for (let column = 0; column < GRID; column++) {
    for (const [first, step] of [[0, 1], [GRID - 1, -1]]) {
      let last = Infinity;
      for (let row = first; row >= 0 && row < GRID; row += step) {
        const k = row * GRID + column;
        last = on[k] ? 0 : last + 1;
        along[k] = step > 0 ? last : Math.min(along[k], last);
      }
    }
  }
  for (let row = 0, k = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++, k++) {
      let best = Infinity;
      for (let other = 0; other < GRID; other++) {
        const across = other - column, down = along[row * GRID + other];
        const squared = across * across + down * down;
        if (squared < best) best = squared;
      }
      field[k] = Math.sqrt(best) / FINE;
    }
  }
  return field;
}

/** The field between its points; far from any stroke where there is none. */
function lookUp(field, y, x) {
  const row = y * FINE - 0.5, column = x * FINE - 0.5;
  const top = Math.floor(row + 1e-6), left = Math.floor(column + 1e-6);
  const down = row - top, right = column - left;
  const at = (i, j) => (i < 0 || j < 0 || i >= GRID || j >= GRID ? SIDE : field[i * GRID + j]);
  const mix = (a, b, part) => (part < 1e-5 ? a : a + part * (b - a));
  return mix(
    mix(at(top, left), at(top, left + 1), right),
    mix(at(top + 1, left), at(top + 1, left + 1), right), down,
  );
}

/** A picture, 3 x 28 x 28 numbers in [0, 1], of a digit { field, places } with attributes. */
export function drawPicture({ field, places }, { thickness, swelling, fracture, size, colour }) {
  const ink = new Float64Array(SIDE * SIDE), [cy, cx] = places.swelling;
  for (let row = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      let [y, x] = [(row + 0.5) / FINE, (column + 0.5) / FINE];
      if (size === "small") [y, x] = [y, x].map((v, k) => (v - places.corner[k]) / SHRINK);
      const cut = fracture === "fracture" && places.cuts.some(([py, px], k) => {
        const [i, j] = places.directions[k], [dy, dx] = [y - py, x - px];
        return Math.abs(i * dy + j * dx) < CUT_WIDTH / 2 && Math.abs(i * dx - j * dy) < CUT_REACH;
      });
      if (swelling === "swelling") {
        const part = Math.min(Math.hypot(y - cy, x - cx) / SWELLING_RADIUS, 1) ** 2;
        [y, x] = [cy + (y - cy) * part, cx + (x - cx) * part];
      }
      if (!cut && lookUp(field, y, x) < HALF_WIDTHS[thickness]) {
        ink[Math.floor(row / FINE) * SIDE + Math.floor(column / FINE)] += 1 / (FINE * FINE);
      }
    }
  }
  const grey = blur(ink).map((value) => Math.round(255 * value) / 255);
  return Float32Array.from(CHANNELS[colour].flatMap((share) => Array.from(grey, (v) => v * share)));
}

/** A Gaussian of two pixels on either side; the border is a mirror. */
function blur(ink) {
  const weights = [-2, -1, 0, 1, 2].map((d) => Math.exp((-d * d) / (2 * BLUR * BLUR)));
  const total = weights.reduce((a, b) => a + b);
  const mirror = (k) => (k < 0 ? -1 - k : k >= SIDE ? 2 * SIDE - 1 - k : k);
  const pass = (from, place) => from.map((_, k) => {
    const [row, column] = [Math.floor(k / SIDE), k % SIDE];
    return weights.reduce((sum, w, d) => sum + w * from[place(row, column, d - 2)], 0) / total;
  });
  const down = pass(ink, (row, column, d) => mirror(row + d) * SIDE + column);
  return pass(down, (row, column, d) => row * SIDE + mirror(column + d));
}

/** A stored digit: its axis as bits, 112 x 112, row after row. */
export function storedDigit({ axis, ...places }) {
  const bits = Uint8Array.from(atob(axis), (letter) => letter.charCodeAt(0));
  const on = Uint8Array.from({ length: GRID * GRID }, (_, k) => (bits[k >> 3] >> (7 - (k & 7))) & 1);
  return { field: distanceField(on), places };
}

/** A digit that was drawn: strokes of points [x, y] in pixels. It swells in the middle of what was
 * drawn, and is cut after one, two and five sixths of it. */
export function drawnDigit(strokes) {
  const on = new Uint8Array(GRID * GRID), points = [];
  for (const stroke of strokes) {
    stroke.forEach(([x, y], k) => {
      const [px, py] = stroke[Math.max(k - 1, 0)];
      const steps = Math.max(1, Math.ceil(Math.hypot(x - px, y - py) * 2 * FINE));
      const length = Math.hypot(x - px, y - py);
      const direction = length ? [(y - py) / length, (x - px) / length] : [1, 0];
      for (let step = 0; step < steps; step++) {
        const part = (step + 1) / steps;
        const [row, column] = [py + (y - py) * part, px + (x - px) * part];
        points.push([row, column, ...direction]);
        const inside = (v) => Math.min(Math.max(Math.floor(v * FINE), 0), GRID - 1);
        const [i, j] = [inside(row), inside(column)];
        on[i * GRID + j] = 1;
      }
    });
  }
  const at = (sixths) => points[Math.floor((sixths * points.length) / 6)];
  const cuts = [1, 2, 5].map(at);
  return {
    field: distanceField(on),
    places: {
      swelling: at(3).slice(0, 2), cuts: cuts.map((p) => p.slice(0, 2)),
      directions: cuts.map((p) => p.slice(2)), corner: [3.5, 3.5],
    },
  };
}
