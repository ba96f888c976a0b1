// Guess first: empty axes before a figure. The reader draws, clicks or presses arrow keys; then the
// measured curve joins the guess, and the figure comes out. Nothing is stored or sent.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 46, right: 14, top: 10, bottom: 40 };
  const HOW = "Draw across the field, or click. By keyboard: Tab to a point, then arrow keys; Escape skips.";

  function make(parent, name, attributes = {}, text = "") {
    const svg = parent.namespaceURI === SVG || name === "svg";
    const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    parent.append(node);
    return node;
  }

  // As many decimals as a hundredth of the axis needs.
  const written = (value, [low, high]) =>
    value.toFixed(Math.max(0, Math.ceil(2 - Math.log10(high - low) - 1e-9))).replace("-", "−");

  function ticks([low, high]) {
    const power = 10 ** Math.floor(Math.log10((high - low) / 4));
    const step = [1, 2, 2.5, 5, 10].map(n => n * power).find(n => (high - low) / n <= 5);
    const first = Math.ceil(low / step - 1e-9) * step;
    const count = Math.floor((high - first) / step + 1e-9);
    return Array.from({ length: count + 1 }, (_, k) => +(first + k * step).toPrecision(6));
  }

  // Values at all points, those without a guess on straight lines between their neighbours.
  function filled(guess) {
    const set = guess.flatMap((value, k) => (value === null ? [] : [k]));
    return guess.map((value, k) => {
      if (value !== null) return value;
      const left = set.filter(n => n < k).at(-1) ?? set[0];
      const right = set.find(n => n > k) ?? set.at(-1);
      if (left === right) return guess[left];
      return guess[left] + ((guess[right] - guess[left]) * (k - left)) / (right - left);
    });
  }

  function start(asked) {
    const { x, y, guessed, xlabel, ylabel, ylim } = JSON.parse(asked.dataset.guess);
    const cell = document.getElementById(asked.dataset.figure)?.closest(".cell");
    if (!cell) return;
    const [low, high] = ylim;
    const guess = guessed.map(() => null);
    const clamp = value => Math.min(high, Math.max(low, value));
    let [done, before] = [false, []];

    cell.setAttribute("hidden", "until-found");
    const frame = make(asked, "div", { class: "guess-frame" });
    const how = make(frame, "p", { class: "guess-how" }, HOW);
    const field = make(frame, "svg", { role: "group", "aria-label": `${ylabel} over ${xlabel}` });
    const actions = make(frame, "p", { class: "guess-actions" });
    const compare = make(actions, "button", { type: "button" }, "Compare with what was measured");
    const skip = make(actions, "button", { type: "button" }, "Skip");
    const status = make(frame, "p", { role: "status", tabindex: "-1" });
    const axes = make(field, "g", { class: "guess-axes", "aria-hidden": "true" });
    const measured = make(field, "path", { class: "guess-measured" });
    const line = make(field, "path", { class: "guess-line" });
    const points = guessed.map(at => make(field, "circle", {
      r: 7, class: "guess-point", role: "slider", tabindex: 0, "aria-orientation": "vertical",
      "aria-label": `${ylabel} at ${xlabel} ${x[at]}`, "aria-valuemin": low, "aria-valuemax": high,
    }));

    let width, height;
    const across = at => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * (at + 0.5)) / x.length;
    const up = value =>
      height - MARGIN.bottom - ((height - MARGIN.bottom - MARGIN.top) * (value - low)) / (high - low);
    const path = (ats, values) =>
      ats.map((at, k) => `${k ? "L" : "M"}${across(at).toFixed(1)} ${up(values[k]).toFixed(1)}`).join("");

    function draw() {
      const middle = (low + high) / 2;
      points.forEach((point, k) => {
        const value = guess[k] ?? middle;
        point.setAttribute("cx", across(guessed[k]));
        point.setAttribute("cy", up(value));
        point.classList.toggle("set", guess[k] !== null);
        point.setAttribute("aria-valuenow", value);
        point.setAttribute("aria-valuetext", guess[k] === null ? "no guess yet" : written(value, ylim));
      });
      const set = guess.flatMap((value, k) => (value === null ? [] : [k]));
      line.setAttribute("d", path(set.map(k => guessed[k]), set.map(k => guess[k])));
      if (done) measured.setAttribute("d", path(x.map((_, at) => at), y));
    }

    function lay() {
      width = Math.max(240, frame.clientWidth);
      height = Math.round(Math.min(300, Math.max(220, 0.6 * width)));
      field.setAttribute("viewBox", `0 0 ${width} ${height}`);
      field.setAttribute("height", height);
      axes.replaceChildren();
      for (const tick of ticks(ylim)) {
        make(axes, "line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: up(tick), y2: up(tick) });
        const text = `${tick}`.replace("-", "−");
        make(axes, "text", { x: MARGIN.left - 6, y: up(tick) + 4, "text-anchor": "end" }, text);
      }
      const crowded = (width - MARGIN.left) / guessed.length < 42;
      for (const [k, at] of guessed.entries()) {
        if (crowded && k % 2) continue;
        const place = { x: across(at), y: height - MARGIN.bottom + 16, "text-anchor": "middle" };
        make(axes, "text", place, x[at]);
      }
      const below = { x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 6, "text-anchor": "middle" };
      make(axes, "text", below, xlabel);
      const beside = { x: 12, y: (MARGIN.top + height - MARGIN.bottom) / 2, "text-anchor": "middle" };
      make(axes, "text", { ...beside, transform: `rotate(-90 ${beside.x} ${beside.y})` }, ylabel);
      draw();
    }

    // The guess nearest to the pointer goes to its height.
    function follow(event) {
      if (done || (event.type === "pointermove" && !field.hasPointerCapture(event.pointerId))) return;
      if (event.type === "pointerdown") {
        field.setPointerCapture(event.pointerId);
        before = [...guess];
      }
      const box = field.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      const far = guessed.map(at => Math.abs(across(at) - px));
      const k = far.indexOf(Math.min(...far));
      guess[k] = clamp(low + ((height - MARGIN.bottom - py) / (height - MARGIN.bottom - MARGIN.top)) * (high - low));
      draw();
    }

    function press(event, k) {
      const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
      const value = { Home: low, End: high }[event.key] ??
        (event.key in steps ? (guess[k] ?? (low + high) / 2) + (steps[event.key] * (high - low)) / 50 : null);
      if (done || value === null) return;
      event.preventDefault();
      guess[k] = clamp(value);
      draw();
    }

    const show = () => cell.removeAttribute("hidden");

    function pass() {
      if (done || !frame.isConnected) return;
      observer.disconnect();
      frame.remove();
      show();
    }

    function judge() {
      if (guess.every(value => value === null)) {
        status.textContent = "There is no guess yet: draw one, or skip.";
        return;
      }
      done = true;
      guess.splice(0, guess.length, ...filled(guess));
      const missed = guessed.map((at, k) => Math.abs(guess[k] - y[at]));
      const most = missed.indexOf(Math.max(...missed));
      const mean = missed.reduce((sum, each) => sum + each, 0) / missed.length;
      for (const point of points) point.removeAttribute("tabindex"), point.setAttribute("aria-disabled", "true");
      how.remove();
      actions.remove();
      status.textContent =
        `Dashed: your guess. Solid: measured. You were ${written(mean, ylim)} off on average, and most at ` +
        `${xlabel} ${x[guessed[most]]}: ${written(guess[most], ylim)} guessed, ` +
        `${written(y[guessed[most]], ylim)} measured.`;
      draw();
      show();
      status.focus({ preventScroll: true });
    }

    field.addEventListener("pointerdown", follow);
    field.addEventListener("pointermove", follow);
    // A finger that turns out to scroll the page has drawn nothing.
    field.addEventListener("pointercancel", () => {
      if (!done) guess.splice(0, guess.length, ...before);
      draw();
    });
    points.forEach((point, k) => point.addEventListener("keydown", event => press(event, k)));
    compare.addEventListener("click", judge);
    skip.addEventListener("click", pass);
    cell.addEventListener("beforematch", pass);
    document.addEventListener("keydown", event => {
      const here = event.target === document.body || asked.contains(event.target);
      if (event.key === "Escape" && here) pass();
    });
    // Who follows a link into the figure wants to see it.
    const arrive = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && cell.contains(target)) pass(), target.scrollIntoView();
    };
    const observer = new ResizeObserver(() => frame.clientWidth !== width && lay());
    observer.observe(frame);
    window.addEventListener("hashchange", arrive);
    lay();
    arrive();
  }

  window.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-guess]").forEach(start));
})();
