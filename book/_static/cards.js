// What a link to a term, a work or an equation leads to, in a card beside it, on hover and on focus.
window.addEventListener("DOMContentLoaded", () => {
  const card = document.createElement("div");
  card.id = "hover-card";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  document.body.append(card);
  let shown, timer;

  function content(link) {
    if (link.dataset.card) return [link.dataset.card];
    const formula = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    return [...(formula?.querySelectorAll("mjx-container") ?? [])].map(each => each.cloneNode(true));
  }

  function show(link) {
    clearTimeout(timer);
    const inside = content(link);
    if (!inside.length) return;
    hide();
    card.replaceChildren(...inside);
    card.hidden = false;
    shown = link;
    link.setAttribute("aria-describedby", card.id);
    const place = link.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - card.offsetWidth - 8);
    const above = place.top - card.offsetHeight - 4;
    card.style.left = `${Math.max(8, left) + scrollX}px`;
    card.style.top = `${(above < 60 ? place.bottom + 4 : above) + scrollY}px`;
  }

  function hide() {
    clearTimeout(timer);
    card.hidden = true;
    shown?.removeAttribute("aria-describedby");
    shown = undefined;
  }

  // The pointer may go over to the card.
  const later = () => (timer = setTimeout(hide, 200));

  const links = "article a.reference.internal:is([title], [href^='#equation-'])";
  for (const link of document.querySelectorAll(links)) {
    if (link.title) {
      link.dataset.card = link.title;
      link.removeAttribute("title");
    }
    link.addEventListener("pointerenter", event => event.pointerType === "mouse" && show(link));
    link.addEventListener("pointerleave", later);
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
  }
  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", later);
  document.addEventListener("keydown", event => event.key === "Escape" && hide());
});
