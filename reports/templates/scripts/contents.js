// Adds to the contents what a chapter shows beside its figures, and marks where the reader is.
{
  for (const chapter of document.querySelectorAll("section.chapter")) {
    const entry = document.querySelector(`nav.contents a[href="#${chapter.id}"]`)?.parentElement;
    const headings = chapter.querySelectorAll("section[id] > h3:first-of-type");
    if (!entry || !headings.length) continue;
    const list = document.createElement("ul");
    for (const heading of headings) {
      const link = document.createElement("a");
      link.href = `#${heading.parentElement.id}`;
      link.textContent = heading.firstChild.textContent.trim();
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    entry.querySelector("ul")?.remove();
    entry.append(list);
  }

  const links = new Map(
    [...document.querySelectorAll("nav.contents a")].map((link) => [link.getAttribute("href").slice(1), link]),
  );
  const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  // On a narrow screen the contents name the chapters alone.
  const shown = (place) => links.get(place.id).getClientRects().length > 0;
  let current = null;
  const mark = () => {
    const edge = window.innerHeight / 4;
    const link = links.get(places.findLast((place) => place.getBoundingClientRect().top <= edge && shown(place))?.id) ?? null;
    if (link === current) return;
    current?.removeAttribute("aria-current");
    current = link;
    link?.setAttribute("aria-current", "location");
    // Only the list of contents itself moves, never the page.
    const list = link?.closest("nav");
    list?.scrollTo({ top: link.offsetTop - list.clientHeight / 2, left: link.offsetLeft - list.clientWidth / 3 });
  };
  let asked = 0;
  const soon = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      mark();
    });
  };
  window.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", soon);
  mark();
}
