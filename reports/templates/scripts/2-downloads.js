// Tables as CSV and JSON files. A table is { name, caption, columns: [{ name, title }], rows } here, whose cells are
// { value, reason }: value a number, text, or null where there is none, and then the reason, as far as it is known.
{
  // Spreadsheets take a text that begins like this for a formula, and would run what a result file wrote there.
  const FORMULA = /^[=+\-@\t\r＝＋－＠]/;

  const field = (value) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = FORMULA.test(value) ? `'${value}` : value;
    return /[",;\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  // A column of reasons stands behind each column in which something is missing: an empty field alone says nothing.
  const csv = ({ columns, rows }) => {
    const gaps = columns.map((_, index) => rows.some((row) => row[index].reason));
    const spread = (cells) => cells.flatMap((pair, index) => (gaps[index] ? pair : pair.slice(0, 1)));
    const lines = [
      spread(columns.map(({ name }) => [name, `${name} missing`])),
      ...rows.map((row) => spread(row.map(({ value, reason }) => [value, reason]))),
    ];
    return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
  };

  const json = ({ caption, columns, rows }) => {
    const missing = rows.flatMap((row, index) =>
      row.flatMap(({ reason }, column) => (reason ? [{ row: index, column, reason }] : [])),
    );
    const values = rows.map((row) => row.map(({ value }) => value));
    return `${JSON.stringify({ caption, columns, rows: values, missing }, null, 1)}\n`;
  };

  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  const button = (label, description, act) => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = label;
    element.setAttribute("aria-label", description);
    element.addEventListener("click", act);
    return element;
  };

  // Buttons that save a table; `table` gives it when it is asked for, since it may be large.
  window.reportDownloads = (name, caption, table) => [
    button("CSV", `CSV: download ${caption}`, () => save(`${name}.csv`, "text/csv", csv(table()))),
    button("JSON", `JSON: download ${caption}`, () => save(`${name}.json`, "application/json", json(table()))),
  ];
}
