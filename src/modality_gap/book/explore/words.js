// A caption that is built from the words of MAD: buttons for all of them, in rows of a factor.

/** A panel of words; pressing one adds it to the caption that `said` returns, or takes it back. */
function drawWords(parent, factors, said, put) {
  const named = { role: "group", "aria-label": "The caption" };
  const box = html(parent, "div", { className: "mg-panel" }, named);
  const head = html(box, "div", { className: "mg-head" });
  html(head, "span", { className: "mg-title", textContent: "The caption" });
  const written = html(head, "span");
  const chips = Object.values(factors).flatMap((values) => {
    const row = html(box, "div", { className: "mg-chips" });
    return values.map((word) => [word, button(row, word, () => {
      const now = said(), kept = now.filter((other) => other !== word);
      put({ caption: (kept.length < now.length ? kept : [...now, word]).join("-") });
    })]);
  });
  return { box, show(caption) {
    for (const [word, chip] of chips) chip.setAttribute("aria-pressed", caption.includes(word));
    written.textContent = caption.join("-");
  } };
}

/** Two words for one factor, in a sentence; or nothing. */
function clash(factors, caption) {
  for (const [factor, values] of Object.entries(factors)) {
    const [one, other] = caption.filter((word) => values.includes(word));
    if (other) return `“${one}” and “${other}” both name the ${factor}: take one of them back.`;
  }
  return "";
}
