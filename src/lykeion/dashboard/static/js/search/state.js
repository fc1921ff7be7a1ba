// What is asked for, and its place in the address bar: everything but the photo itself, which stays on this machine. Pure.

export const FIRST = 24;
export const MOST = 240;

export const nothing = { family: "", item: "", category: [], from: "", under: "", k: FIRST };

export function read(search) {
  const given = new URLSearchParams(search);
  const k = Number.parseInt(given.get("k") || "", 10);
  return {
    family: given.get("family") || "",
    item: given.get("item") || "",
    category: given.getAll("category"),
    from: amount(given.get("from")),
    under: amount(given.get("under")),
    k: k >= 1 && k <= MOST ? k : FIRST,
  };
}

export function amount(text) {
  const number = Number.parseFloat(text ?? "");
  return Number.isFinite(number) && number >= 0 ? String(number) : "";
}

export function write(state) {
  const said = new URLSearchParams();
  if (state.family) said.set("family", state.family);
  if (state.item) said.set("item", state.item);
  for (const category of state.category) said.append("category", category);
  if (state.from) said.set("from", state.from);
  if (state.under) said.set("under", state.under);
  if (state.k !== FIRST) said.set("k", String(state.k));
  const text = said.toString();
  return text ? `?${text}` : "";
}

// The filters in the words of POST /v1/search/{family}. "|" parts alternatives there, so a value that holds one is asked for alone.
export function query(state) {
  const asked = new URLSearchParams({ k: String(state.k) });
  if (state.category.length) asked.append("filter", `category:${state.category.join("|")}`);
  if (state.from) asked.append("filter", `price:>=${state.from}`);
  if (state.under) asked.append("filter", `price:<${state.under}`);
  return asked.toString();
}

export const isFiltered = (state) => state.category.length > 0 || state.from !== "" || state.under !== "";
