// What the reader searched, filtered, sorted and chose stands in the address, behind the anchor:
// `#anchor&key=value&key=value`. So it survives a reload and travels with a copied address. A file's own address
// allows no other place: from file:// the browser lets a page change nothing but its hash.
{
  const parse = (hash) => {
    const [anchor, ...pairs] = hash.replace(/^#/, "").split("&");
    const values = new Map();
    for (const pair of pairs) {
      const [, key, value] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      try {
        if (key) values.set(decodeURIComponent(key), decodeURIComponent(value));
      } catch {
        // An address that somebody cut off in the middle of a character: the other pairs are good.
      }
    }
    return { anchor, values };
  };

  const format = (anchor, values) =>
    [anchor, ...[...values].map((pair) => pair.map(encodeURIComponent).join("="))].join("&");

  // The hash that the page has acted upon: `hashchange` also tells of the page's own changes.
  let known = "";
  const replace = (anchor, values) => {
    history.replaceState(history.state, "", `#${format(anchor, values)}`);
    known = location.hash;
  };

  // What the reader used last: a click does not move the focus in every browser.
  let used = null;
  for (const kind of ["click", "input", "change"]) {
    document.addEventListener(kind, ({ target }) => (used = target), true);
  }
  const figureOf = (element) => element?.closest?.("section[id]")?.id ?? "";

  window.reportState = {
    // The value of a key, "" where there is none.
    get: (key) => parse(location.hash).values.get(key) ?? "",

    // Sets a key, or removes it if the value is empty. Makes no entry in the history: "back" leads to another place.
    // An address without an anchor gets that of the figure which the change is about, without a scroll: opened
    // elsewhere it then leads there.
    set: (key, value, about = used) => {
      const { anchor, values } = parse(location.hash);
      if (value === "") values.delete(key);
      else values.set(key, value);
      replace(anchor || figureOf(about), values);
    },
  };

  // The browser looks for an element whose name is the whole hash. So it gets the anchor alone first, which lets it
  // scroll, move the focus and mark the target by itself; the rest follows silently.
  const travel = (anchor, values, go) => {
    const target = anchor && document.getElementById(anchor);
    if (target) for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    go(`#${anchor}`);
    if (values.size) replace(anchor, values);
  };

  // A link within the page names an anchor, and may set values; following it keeps the rest of the state.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { anchor, values } = parse(link.getAttribute("href"));
    travel(anchor, new Map([...parse(location.hash).values, ...values]), (hash) => {
      if (location.hash === hash) location.replace(hash);
      else location.hash = hash;
    });
  });

  // An address that was opened, edited or gone back to.
  const arrive = () => {
    known = location.hash;
    const { anchor, values } = parse(location.hash);
    travel(anchor, values, (hash) => {
      if (values.size) location.replace(hash);
    });
  };
  window.addEventListener("hashchange", () => {
    if (location.hash !== known) arrive();
  });
  // Not before the page is complete: the browser then looks for the whole hash once more. After a reload, and going
  // back to the page, it restores the reader's own place instead.
  window.addEventListener("load", () => {
    if (performance.getEntriesByType("navigation")[0]?.type === "navigate") arrive();
  });
}
