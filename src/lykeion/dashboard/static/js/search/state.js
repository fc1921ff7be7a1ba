// What is asked for, and its place in the address bar: everything but the photo itself, which stays on this machine. Pure.

export const FIRST = 24;
export const MOST = 240;

export const LISTED = ["category", "status"]; // fields of which some values are chosen
export const none = { values: [], from: "", to: "" }; // of a field of the catalogue's own
export const unfiltered = { category: [], status: [], from: "", under: "", own: new Map() }; // own: name of a field -> what is asked of it
export const nothing = { family: "", item: "", ...unfiltered, k: FIRST };

export function read(search) {
  const given = new URLSearchParams(search);
  const k = Number.parseInt(given.get("k") || "", 10);
  return {
    family: given.get("family") || "",
    item: given.get("item") || "",
    ...Object.fromEntries(LISTED.map((name) => [name, given.getAll(name)])),
    from: amount(given.get("from")),
    under: amount(given.get("under")),
    own: readOwn(given),
    k: k >= 1 && k <= MOST ? k : FIRST,
  };
}

// `has:brand=Acme`, `from:year=2019`, `to:year=2024`.
function readOwn(given) {
  const own = new Map();
  for (const [key, value] of given) {
    const [, word, name] = key.match(/^(has|from|to):(.+)$/s) || [];
    if (!word || !value) continue;
    const asked = own.get(name) || none;
    own.set(name, word === "has" ? { ...asked, values: [...asked.values, value] } : { ...asked, [word]: value });
  }
  return own;
}

// The same with something else asked of one field.
export function withOwn(state, name, change) {
  const own = new Map(state.own);
  const asked = { ...(own.get(name) || none), ...change };
  if (asked.values.length || asked.from || asked.to) own.set(name, asked);
  else own.delete(name);
  return own;
}

export function amount(text) {
  const number = Number.parseFloat(text ?? "");
  return Number.isFinite(number) && number >= 0 ? String(number) : "";
}

export function write(state) {
  const said = new URLSearchParams();
  if (state.family) said.set("family", state.family);
  if (state.item) said.set("item", state.item);
  for (const name of LISTED) for (const value of state[name]) said.append(name, value);
  if (state.from) said.set("from", state.from);
  if (state.under) said.set("under", state.under);
  for (const [name, { values, from, to }] of state.own) {
    for (const value of values) said.append(`has:${name}`, value);
    if (from) said.set(`from:${name}`, from);
    if (to) said.set(`to:${name}`, to);
  }
  if (state.k !== FIRST) said.set("k", String(state.k));
  const text = said.toString();
  return text ? `?${text}` : "";
}

// The filters in the words of POST /v1/search/{family}. "|" parts alternatives there, and "<" or ">" compares, unless "\" stands before it.
export function query(state) {
  const asked = new URLSearchParams({ k: String(state.k) });
  const plain = (value) => value.replace(/[\\|<>]/g, "\\$&");
  for (const name of LISTED) if (state[name].length) asked.append("filter", `${name}:${state[name].map(plain).join("|")}`);
  if (state.from) asked.append("filter", `price:>=${state.from}`);
  if (state.under) asked.append("filter", `price:<${state.under}`);
  for (const [name, { values, from, to }] of state.own) {
    const field = name.replace(/[\\:]/g, "\\$&");
    if (values.length) asked.append("filter", `${field}:${values.map(plain).join("|")}`);
    if (from) asked.append("filter", `${field}:>=${from}`);
    if (to) asked.append("filter", `${field}:<=${to}`);
  }
  return asked.toString();
}

export const isFiltered = (state) => LISTED.some((name) => state[name].length > 0) || state.from !== "" || state.under !== "" || state.own.size > 0;
