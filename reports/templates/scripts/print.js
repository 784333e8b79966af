// On paper nobody can open what is folded: short tables are opened, long ones stay a line that says how long they are.
{
  const SHORT = 40;
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")].filter((details) => {
      const rows = details.querySelectorAll("tbody tr").length;
      return rows > 0 && rows <= SHORT;
    });
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
}
