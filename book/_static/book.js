// Summaries of search results are fetched, which no browser does from the file system.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Paper is white: print the light page, with its light figures, whatever the screen shows.
let screenTheme;
window.addEventListener("beforeprint", () => {
  screenTheme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = screenTheme;
});

// How the page is cited names the section that the address leads to.
const citeSection = () => {
  const entry = document.querySelector(".cite-this pre");
  if (!entry) return;
  entry.dataset.page ??= entry.textContent;
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const heading = place?.closest("section")?.querySelector("h2, h3, h4")?.cloneNode(true);
  heading?.querySelectorAll(".headerlink, .section-number").forEach((part) => part.remove());
  entry.textContent = heading
    ? entry.dataset.page
        .replace(/(\n  url = \{[^}]*)/, (url) => url + location.hash)
        .replace(/\}$/, `  note = {Section ${heading.textContent.trim()}},\n}`)
    : entry.dataset.page;
};
window.addEventListener("DOMContentLoaded", citeSection);
window.addEventListener("hashchange", citeSection);
