// Makes tables sortable, searchable and downloadable, and builds those that the page holds as data alone.
// `reportTables.enhance(table)` does it for a table with `data-download` that another script has made.
{
  const PORTION = 25; // rows of data at first, about as many as are in sight; each time more are asked for, twice as many
  const LONG = 12; // more rows than this get a search field
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const tidy = (text) => text.replace(/\s+/g, " ").trim();

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // What a cell of the page's own tables holds: exact numbers stand in `data`, reasons in `td.missing`.
  const read = (cell) => {
    const text = tidy(cell.textContent);
    if (cell.classList.contains("missing")) return { value: null, reason: text.replace(/^missing: /, ""), text };
    const exact = cell.querySelector("data")?.value ?? cell.dataset.value;
    const number = exact === undefined || exact === "" ? NaN : Number(exact);
    return { value: Number.isFinite(number) ? number : text, reason: "", text };
  };

  const show = (value) => {
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    const digits = Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6 ? value.toExponential(4) : value.toPrecision(6);
    return digits.includes("e") ? digits : digits.replace(/0+$/, "").replace(/\.$/, "");
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1;
    return collator.compare(a, b);
  };

  // Rows in the order of a column; what is missing stands at the end whichever way it goes.
  const sorted = (rows, { column, down }) => {
    const [present, absent] = [true, false].map((is) => rows.filter((row) => (row.cells[column].value !== null) === is));
    present.sort((a, b) => (down ? -1 : 1) * compare(a.cells[column].value, b.cells[column].value));
    return [...present, ...absent];
  };

  // Lets the reader sort and search one table. A row is { cells, element() }.
  const manage = ({ name, caption, columns, rows, table, scroll, portion }) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const keys = { find: `find-${name}`, sort: `sort-${name}` };
    let order = null;
    let limit = portion;

    const tools = make("div", { className: "tools" });
    const count = make("span", { className: "count" });
    count.setAttribute("role", "status");
    const more = make("button", { type: "button", className: "more" });
    const search = rows.length > LONG ? make("input", { type: "search", id: `find-${name}`, placeholder: "Search" }) : null;
    if (search) {
      search.setAttribute("aria-label", `Search ${caption}`);
      tools.append(search, count);
    }
    tools.append(...window.reportDownloads(name, caption, () => ({ caption, columns, rows: rows.map((row) => row.cells) })));
    scroll.after(more);
    // Searching comes before reading, downloading after it.
    if (search) scroll.before(tools);
    else more.after(tools);

    const words = (row) => (row.words ??= row.cells.map((cell) => cell.text).join(" ").toLowerCase());
    const update = () => {
      const wanted = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      const found = wanted.length ? rows.filter((row) => wanted.every((word) => words(row).includes(word))) : rows;
      const shown = (order ? sorted(found, order) : found).slice(0, limit);
      body.replaceChildren(...shown.map((row) => row.element()));
      count.textContent = found.length < rows.length ? `${found.length} of ${rows.length} rows` : `${rows.length} rows`;
      more.hidden = shown.length === found.length;
      more.textContent = `Show ${Math.min(limit, found.length - shown.length)} more of ${found.length} rows`;
      heads.forEach((head, index) => {
        if (order?.column === index) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
    };

    // Up, down, and back to the order of the page.
    const turn = (column) => {
      if (order?.column !== column) order = { column, down: false };
      else order = order.down ? null : { column, down: true };
      window.reportState.set(keys.sort, order ? `${column + 1}${order.down ? "-down" : ""}` : "");
      update();
    };
    heads.forEach((head, index) => {
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      button.addEventListener("click", () => turn(index));
      head.replaceChildren(button);
    });

    more.addEventListener("click", () => {
      limit *= 2;
      update();
    });
    search?.addEventListener("input", () => {
      limit = portion;
      window.reportState.set(keys.find, search.value);
      update();
    });

    const recall = () => {
      const [, column, down] = /^(\d{1,4})(-down)?$/.exec(window.reportState.get(keys.sort)) ?? [];
      order = column >= 1 && column <= columns.length ? { column: column - 1, down: Boolean(down) } : null;
      if (search) search.value = window.reportState.get(keys.find);
      update();
    };
    window.addEventListener("hashchange", recall);
    recall();
  };

  const enhance = (table) => {
    const name = table.dataset.download;
    const titles = [...table.tHead.rows[0].cells].map((cell) => tidy(cell.textContent));
    manage({
      name,
      caption: tidy(table.caption?.textContent ?? name),
      columns: titles.map((title) => ({ name: title, title })),
      rows: [...table.tBodies[0].rows].map((row) => ({ cells: [...row.cells].map(read), element: () => row })),
      table,
      scroll: table.closest(".scroll") ?? table,
      portion: Infinity,
    });
  };

  const build = async (details) => {
    const { caption, fields, rows } = (await window.reportPacked).data[details.dataset.rows];
    const columns = fields.map(([name, title]) => ({ name, title }));
    const heads = columns.map(({ title }, index) => {
      const numeric = rows.some((row) => typeof row[index] === "number");
      return make("th", { scope: "col", className: numeric ? "" : "name" }, title);
    });
    const row = (values) => {
      const cells = values.map((value) => ({
        value,
        reason: "",
        text: value === null ? "missing" : show(value),
      }));
      let element;
      const draw = ({ value, text }) => {
        if (value === null) return make("td", { className: "missing" }, text);
        if (typeof value === "string") return make("td", { className: "name" }, text);
        return make("td", {}, make("data", { value: String(value) }, text));
      };
      return { cells, element: () => (element ??= make("tr", {}, ...cells.map(draw))) };
    };
    const table = make(
      "table",
      {},
      make("caption", { className: "unseen" }, caption),
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody"),
    );
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, table);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", `${caption} (${details.dataset.where})`);
    details.append(scroll);
    const name = details.dataset.rows;
    manage({ name, caption, columns, rows: rows.map(row), table, scroll, portion: PORTION });
  };

  const refuse = (details) => (error) => {
    const words = `The rows could not be unpacked (${error.message}); a browser of 2023 or later can.`;
    details.append(make("p", { className: "missing" }, words));
  };

  for (const table of document.querySelectorAll("table[data-download]:has(thead tr)")) enhance(table);

  for (const details of document.querySelectorAll("details[data-rows]")) {
    details.addEventListener("toggle", () => details.open && build(details).catch(refuse(details)), { once: true });
    const asked = ["find", "sort"].some((key) => window.reportState.get(`${key}-${details.dataset.rows}`));
    if (asked) details.open = true;
  }

  window.reportTables = { enhance };
}
