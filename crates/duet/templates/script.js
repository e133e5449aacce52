"use strict";
// Sorting: the headers of a sortable table become buttons. Without a script the table stands in the plan's order.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        return typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
      });
      if (down) rows.reverse();
      body.append(...rows);
    });
  });
}
// A link to a case opens its details, and so does an address that names it.
const open = () => {
  const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (place && place.tagName === "DETAILS") {
    place.open = true;
    place.scrollIntoView();
  }
};
addEventListener("hashchange", open);
open();
// Paper has no way to open anything.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
