// A click on a figure, or Enter on the button at the end of its caption, opens it at full size.
window.addEventListener("DOMContentLoaded", () => {
  const pairs = document.querySelectorAll("figure .figure-pair");
  if (!pairs.length) return;
  const dialog = document.createElement("dialog");
  dialog.className = "figure-dialog";
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  const field = document.createElement("div");
  field.tabIndex = 0; // arrow keys scroll it
  field.setAttribute("role", "group");
  dialog.append(close, field);
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", event => event.target === dialog && dialog.close());

  for (const pair of pairs) {
    const caption = pair.closest("figure").querySelector("figcaption p");
    const name = caption.querySelector(".caption-number").textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "figure-open";
    button.setAttribute("aria-label", `Full size, ${name}`);
    button.textContent = "Full size";
    const open = () => {
      dialog.setAttribute("aria-label", name);
      field.setAttribute("aria-label", name);
      field.replaceChildren(...[...pair.querySelectorAll("img")].map(image => image.cloneNode()));
      dialog.showModal();
    };
    button.addEventListener("click", open);
    pair.addEventListener("click", event => event.target.matches("img") && open());
    caption.append(button);
  }
});
