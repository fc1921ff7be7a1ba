// Where the platform is: at the top of its host, or below the prefix of a proxy. Pure.

export const ROOT = new URL("../../", import.meta.url).pathname; // of this file, which is always at the same place below it

// A path of the platform as the browser has to ask for it; the API's own paths may have the prefix already.
export const at = (path) => (path.startsWith(ROOT) ? path : ROOT + path.slice(1));

// The parts of the page's path: "/trainings/one" -> ["trainings", "one"].
export const parts = () => location.pathname.slice(ROOT.length).split("/").map(decodeURIComponent);
