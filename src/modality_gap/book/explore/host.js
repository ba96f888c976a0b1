// Runs an anywidget module on a page that has no kernel: its text becomes a Blob to import, and the
// model is the inline JSON. This script is the last child of the element that holds them.
(async (holder) => {
  const inline = (kind) => holder.querySelector(`script[type="${kind}"]`).textContent;
  const state = JSON.parse(inline("application/json"));
  const listeners = new Map();
  const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      for (const event of [`change:${name}`, "change"]) for (const call of [...of(event)]) call();
    },
    on: (event, call) => void of(event).add(call),
    off: (event, call) => void of(event).delete(call),
    save_changes() {},
  };
  const url = URL.createObjectURL(new Blob([inline("text/plain")], { type: "text/javascript" }));
  const live = holder.querySelector(".explore-live");
  try {
    const { default: figure } = await import(url);
    await figure.render({ model, el: live });
    holder.classList.add("explore-runs"); // from here on the still picture is for paper only
  } catch (error) {
    live.textContent = `The picture stands still: the figure did not start (${error.message}).`;
  }
  URL.revokeObjectURL(url);
})(document.currentScript.parentElement);
