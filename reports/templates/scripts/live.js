// A page from `python -m reports serve` asks its server for newer results and reloads when there are some; the reader
// keeps the place, what is open and what is being typed.
{
  const { live } = document.body.dataset;
  const PLACE = "alphaadam-report-place";

  // Each fold with what names it in the next page too, where others may have come before it.
  const folds = () => {
    const seen = new Map();
    return [...document.querySelectorAll("main details")].map((details) => {
      const label = details.id || `${details.closest("[id]")?.id} ${details.querySelector("summary")?.textContent.trim()}`;
      seen.set(label, (seen.get(label) ?? 0) + 1);
      return [`${label} ${seen.get(label)}`, details];
    });
  };

  const leave = () => {
    const top = [...document.querySelectorAll("main [id]")].findLast((item) => item.getBoundingClientRect().top <= 1);
    const place = {
      id: top?.id ?? "",
      offset: top?.getBoundingClientRect().top ?? -scrollY,
      folds: folds().map(([label, details]) => [label, details.open]),
      focus: document.activeElement?.id ?? "",
    };
    sessionStorage.setItem(PLACE, JSON.stringify(place));
    location.reload();
  };

  const settle = () => {
    const stored = sessionStorage.getItem(PLACE);
    if (!stored) return;
    sessionStorage.removeItem(PLACE);
    const place = JSON.parse(stored);
    const open = new Map(place.folds);
    for (const [label, details] of folds()) details.open = open.get(label) ?? details.open;
    history.scrollRestoration = "manual";
    window.addEventListener("load", async () => {
      await window.reportPacked.catch(() => {});
      // After the folds' own events, which build their tables.
      setTimeout(() => {
        const top = document.getElementById(place.id) ?? document.body;
        window.scrollBy({ top: top.getBoundingClientRect().top - place.offset, behavior: "instant" });
        if (place.focus) document.getElementById(place.focus)?.focus({ preventScroll: true });
        history.scrollRestoration = "auto";
      });
    });
  };

  const listen = () => {
    const note = document.getElementById("live-note");
    const source = new EventSource(live);
    source.addEventListener("newer", () => {
      source.close();
      leave();
    });
    source.addEventListener("note", (event) => {
      note.textContent = JSON.parse(event.data);
    });
    source.addEventListener("error", () => {
      note.textContent = "The server does not answer: this page shows what it said last.";
    });
    source.addEventListener("open", () => {
      note.textContent = "";
    });
  };

  if (live) {
    settle();
    listen();
  }
}
