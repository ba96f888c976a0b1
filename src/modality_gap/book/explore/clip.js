// The book's small CLIP in plain JavaScript: from the weights as `weights.py` packs them to unit
// embeddings. Arrays of a picture run through channels, rows, columns; PyTorch's order.

const DIMENSIONS = 64, HEADS = 4, END_MARK = 27; // the end mark is the largest of the 28 tokens

/** Base64 text to bytes. */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Half-precision numbers in base64, as Float32Array. */
function halves(text) {
  return Float32Array.from(new Uint16Array(bytesOf(text).buffer), (bits) => {
    const power = (bits >> 10) & 31, part = (bits & 1023) / 1024;
    return (bits & 32768 ? -1 : 1) * (power ? 2 ** (power - 15) * (1 + part) : 2 ** -14 * part);
  });
}

/** A packed model: its tensors by name, and its batch norms folded into the convolutions. */
export function unpackModel({ sizes, weights, ...model }) {
  const numbers = halves(weights), tensors = {};
  let start = 0;
  for (const [name, size] of Object.entries(sizes)) {
    tensors[name] = numbers.subarray(start, (start += size));
  }
  const layers = [[0, 3, 2], [3, 16, 1], [7, 32, 2]].map(([place, channels, stride]) => {
    const of = (name) => tensors[`visual.layers.${place + 1}.${name}`];
    const factors = of("weight").map((w, o) => w / Math.sqrt(of("running_var")[o] + 1e-5));
    const kernels = tensors[`visual.layers.${place}.weight`];
    return {
      channels, stride,
      kernels: kernels.map((w, k) => w * factors[Math.floor(k / (9 * channels))]),
      bias: of("bias").map((b, o) => b - of("running_mean")[o] * factors[o]),
    };
  });
  return { ...model, tensors, layers };
}

/** A convolution of 3 by 3 with padding 1, then ReLU; from side x side pixels. */
function convolve(input, side, { channels, stride, kernels, bias }) {
  const size = Math.ceil(side / stride), output = new Float32Array(bias.length * size * size);
  for (let o = 0; o < bias.length; o++) {
    const to = output.subarray(o * size * size, (o + 1) * size * size).fill(bias[o]);
    for (let k = 0; k < 9 * channels; k++) {
      const weight = kernels[9 * channels * o + k], from = Math.floor(k / 9) * side * side;
      const dy = (Math.floor(k / 3) % 3) - 1, dx = (k % 3) - 1;
      for (let i = 0; i < size; i++) {
        const y = stride * i + dy;
        if (y < 0 || y >= side) continue;
        const last = stride * (size - 1) + dx < side ? size : size - 1;
        for (let j = dx < 0 ? 1 : 0; j < last; j++) {
          to[i * size + j] += weight * input[from + y * side + stride * j + dx];
        }
      }
    }
    for (let k = 0; k < to.length; k++) to[k] = Math.max(to[k], 0);
  }
  return output;
}

/** The largest of each 2 by 2 pixels; a last odd row and column are left out. */
function halve(input, side) {
  const size = Math.floor(side / 2), channels = input.length / (side * side);
  return Float32Array.from({ length: channels * size * size }, (_, k) => {
    const j = k % size, i = Math.floor(k / size) % size, c = Math.floor(k / (size * size));
    const at = c * side * side + 2 * i * side + 2 * j;
    return Math.max(input[at], input[at + 1], input[at + side], input[at + side + 1]);
  });
}

function unit(vector) {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** A row of numbers times a matrix (in x out). */
function project(row, matrix) {
  const result = new Float64Array(matrix.length / row.length);
  for (let i = 0; i < row.length; i++) {
    for (let o = 0; o < result.length; o++) result[o] += row[i] * matrix[i * result.length + o];
  }
  return result;
}

/** A linear layer: weights (out x in) times a row, plus a bias. */
function linear(row, weight, bias) {
  const result = new Float64Array(bias.length), length = row.length;
  for (let o = 0, k = 0; o < result.length; o++) {
    let sum = bias[o];
    for (let i = 0; i < length; i++, k++) sum += weight[k] * row[i];
    result[o] = sum;
  }
  return result;
}

function layerNorm(row, weight, bias) {
  const mean = row.reduce((a, b) => a + b) / row.length;
  const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
  return row.map((v, k) => ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[k] + bias[k]);
}

/** x times the normal distribution function at x, up to 1e-7 (Abramowitz and Stegun, 7.1.26). */
function gelu(x) {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
    0.254829592) * t;
  const tail = (series * Math.exp(-z * z)) / 2;
  return x * (x > 0 ? 1 - tail : tail);
}

/** Unit embedding of a picture of 3 x 28 x 28 numbers in [0, 1]. */
export function embedImage({ layers, tensors }, picture) {
  const inner = convolve(convolve(picture, 28, layers[0]), 14, layers[1]);
  return unit(project(convolve(halve(inner, 14), 7, layers[2]), tensors["visual.proj"]));
}

/** Attention of every row to itself and those before it, as open_clip's blocks have it. */
function attend(rows, of) {
  const all = rows.map((row) => linear(row, of("attn.in_proj_weight"), of("attn.in_proj_bias")));
  const size = DIMENSIONS / HEADS;
  return all.map((own, i) => {
    const mixed = new Float64Array(DIMENSIONS);
    for (let start = 0; start < DIMENSIONS; start += size) {
      const scores = all.slice(0, i + 1).map((other) => {
        let sum = 0;
        for (let k = start; k < start + size; k++) sum += own[k] * other[DIMENSIONS + k];
        return Math.exp(sum / Math.sqrt(size));
      });
      const total = scores.reduce((a, b) => a + b);
      scores.forEach((score, j) => {
        for (let k = start; k < start + size; k++) {
          mixed[k] += (score / total) * all[j][2 * DIMENSIONS + k];
        }
      });
    }
    return linear(mixed, of("attn.out_proj.weight"), of("attn.out_proj.bias"));
  });
}

/** Unit embedding of a caption, word numbers in order. What stands after the end mark is unseen. */
export function embedText({ tensors }, words) {
  const add = (a, b) => a.map((value, k) => value + b[k]);
  const row = (name, place) =>
    Float64Array.from(tensors[name].subarray(place * DIMENSIONS, (place + 1) * DIMENSIONS));
  const tokens = [...words.map((word) => word + 1), END_MARK];
  let rows = tokens.map((token, place) =>
    add(row("text.token_embedding.weight", token), row("text.positional_embedding", place)));
  for (const block of [0, 1]) {
    const of = (name) => tensors[`text.transformer.resblocks.${block}.${name}`];
    const norm = (name) => (r) => layerNorm(r, of(`${name}.weight`), of(`${name}.bias`));
    const mixed = attend(rows.map(norm("ln_1")), of);
    rows = rows.map((r, i) => add(r, mixed[i]));
    rows = rows.map((r) => {
      const inner = linear(norm("ln_2")(r), of("mlp.c_fc.weight"), of("mlp.c_fc.bias")).map(gelu);
      return add(r, linear(inner, of("mlp.c_proj.weight"), of("mlp.c_proj.bias")));
    });
  }
  const [scale, shift] = [tensors["text.ln_final.weight"], tensors["text.ln_final.bias"]];
  return unit(project(layerNorm(rows.at(-1), scale, shift), tensors["text.text_projection"]));
}

export function cosine(a, b) {
  return a.reduce((sum, value, k) => sum + value * b[k], 0);
}

// The stored models

const singles = (text) => new Float32Array(bytesOf(text).buffer);

/** A model file with all that is computed once: its captions' embeddings come from `embedAll`. */
function prepare(packed) {
  const [means, plane] = [singles(packed.means), singles(packed.plane)];
  const half = (array, side) => array.subarray(side * DIMENSIONS, (side + 1) * DIMENSIONS);
  return {
    ...unpackModel(packed), rows: [],
    means: [half(means, 0), half(means, 1)], plane: [half(plane, 0), half(plane, 1)],
  };
}

/** Embeds the stored captions, a few at a time so that the page stays awake. */
async function embedAll(model, report) {
  while (model.rows.length < model.captions.length) {
    const start = performance.now();
    while (model.rows.length < model.captions.length && performance.now() - start < 10) {
      model.rows.push(embedText(model, model.captions[model.rows.length]));
    }
    report(model.rows.length / model.captions.length);
    await new Promise((done) => setTimeout(done));
  }
}

/** The file of a model: on a page of the book a script beside it, in JupyterLab from Python. */
function fetchModel(model, k) {
  return new Promise((done, fail) => {
    const root = document.documentElement.dataset.content_root;
    setTimeout(fail, 30_000);
    if (root === undefined) {
      const arrived = () => {
        const packed = model.get("weights");
        if (packed.k !== k) return;
        model.off("change:weights", arrived);
        done(packed);
      };
      model.on("change:weights", arrived);
      model.set("wanted", k);
      model.save_changes();
      return;
    }
    const script = html(document.head, "script", { src: `${root}_static/mini_clip/k${k}.js` });
    script.onload = () => (globalThis.miniClip?.[k] ? done(globalThis.miniClip[k]) : fail());
    script.onerror = fail;
  });
}
