// Ranks sections, where Sphinx ranks pages and drops numbers. sections.js holds the texts.

const stemmer = new Stemmer();
const known = new Map();
const stem = (word) => known.get(word) ?? (known.set(word, stemmer.stemWord(word)), known.get(word));
const tokens = (text) =>
  (text.toLowerCase().replace(/(?<![\p{N}\p{L}])\.(?=\p{N})/gu, "0.").match(/\p{N}+(?:\.\p{N}+)+|[\p{L}\p{N}_]+/gu) ?? []).map(stem);

const HEADING = 8; // a word of a heading counts as so many of the text
const entries = SECTIONS.map(([page, anchor, ofPage, title, text]) => {
  const counts = new Map();
  const add = (word, weight) => counts.set(word, (counts.get(word) ?? 0) + weight);
  const all = tokens(text);
  all.forEach((word) => add(word, 1));
  tokens(title).forEach((word) => add(word, HEADING));
  if (ofPage !== title) tokens(ofPage).forEach((word) => add(word, 1));
  const phrase = ` ${tokens(title).join(" ")} `;
  return { page, anchor, ofPage, title, text, counts, phrase, words: ` ${all.join(" ")} `, length: all.length };
});
const usual = entries.reduce((sum, entry) => sum + entry.length, 0) / entries.length;
const vocabulary = new Set(entries.flatMap((entry) => [...entry.counts.keys()]));

// How well each section answers, the best first: BM25, the more so where a heading says the same.
const ranked = (query) => {
  const asked = tokens(query);
  const kept = query.toLowerCase().split(/\s+/).filter((word) => !stopwords.includes(word));
  const stems = [...new Set(kept.length ? tokens(kept.join(" ")) : asked)];
  const meant = stems.map((word) =>
    vocabulary.has(word) || word.length < 3 ? [word] : [...vocabulary].filter((other) => other.includes(word))
  );
  const count = (entry, words) => words.reduce((sum, word) => sum + (entry.counts.get(word) ?? 0), 0);
  const rarity = meant.map((words) => {
    const having = entries.filter((entry) => count(entry, words)).length;
    return Math.log(1 + (entries.length - having + 0.5) / (having + 0.5));
  });
  const phrase = ` ${asked.join(" ")} `;
  return entries
    .map((entry) => {
      const found = meant.map((words) => count(entry, words));
      const parts = found.map((n, i) => (rarity[i] * n) / (n + 0.5 + entry.length / usual));
      const share = found.filter(Boolean).length / meant.length;
      let score = parts.reduce((sum, part) => sum + part, 0) * share ** 2;
      if (entry.phrase.includes(phrase)) score *= 1 + (2 * phrase.length) / entry.phrase.length;
      else if (asked.length > 1 && entry.words.includes(phrase)) score *= 1.3;
      return { entry, score: share < 0.5 ? 0 : score };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
};

// What stands around the first word that was asked for.
const summary = ({ text }, query) => {
  const places = query.toLowerCase().split(/\s+/).map((word) => text.toLowerCase().indexOf(word));
  const start = Math.max(0, Math.min(...places.filter((place) => place >= 0), text.length) - 80);
  const from = start && text.indexOf(" ", start) + 1;
  return `${from ? "… " : ""}${text.slice(from, from + 240)}${from + 240 < text.length ? " …" : ""}`;
};

Search.query = (query) => {
  const hits = ranked(query);
  document.getElementById("search-progress")?.replaceChildren();
  for (const { entry } of hits.slice(0, 50)) {
    const item = Search.output.appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    link.href = `${entry.page}${DOCUMENTATION_OPTIONS.LINK_SUFFIX}#${entry.anchor}`;
    link.textContent = entry.ofPage === entry.title ? entry.title : `${entry.title} – ${entry.ofPage}`;
    const context = item.appendChild(document.createElement("p"));
    context.className = "context";
    context.textContent = summary(entry, query);
  }
  const pages = new Set(hits.map(({ entry }) => entry.page)).size;
  const counted = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  Search.stopPulse();
  Search.title.textContent = "Search Results";
  Search.status.textContent = hits.length
    ? `Search finished, found ${counted(hits.length, "section")} on ${counted(pages, "page")}` +
      (hits.length > 50 ? "; here are the first 50." : ".")
    : "Nothing was found. Fewer or other words may find more.";
};
