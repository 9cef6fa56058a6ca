/**
 * Reads what somebody pasted as a repository, in any usual form.
 *
 * `parseLink(text, providers, chosen)` gives `{provider, repository, ref, path, pathKind,
 * note}` or `{error}` with a sentence for the reader. `providers` are the display data of
 * `/api/repoproviders`; `chosen` is the provider picked in the form, or "".
 * It is pure: no page, no network.
 */

import { findDataProvider, readDoi } from "./data-links.js";
import { readForgePath } from "./forge-paths.js";
import { formatSpec, readSpec } from "./launch-link.js";

/** Forges whose repositories have two parts, so that what follows is not part of the name. */
const TWO_PART_HOSTS = { "github.com": true, "bitbucket.org": true, "codeberg.org": true };

const SENTENCES = {
  unreadable: "This is neither a repository’s address nor owner/repository.",
  password: "The address holds a password or token. Take it out: a launch link is public.",
  noRepository: "The address names no repository. It looks like https://github.com/owner/repository.",
  doi: "No provider of this federation knows this DOI. Choose the one that has it, if it is there.",
};

export function parseLink(text, providers, chosen = "") {
  const given = text.trim();
  const usable = providers.filter(({ id }) => chosen !== "git" || id === "git"); // git takes any host
  const known = new Map(usable.map((provider) => [provider.id, provider]));
  if (/\s/.test(given)) return { error: SENTENCES.unreadable };
  const found = readLaunchLink(given, known)
    ?? readForChosen(given, known, chosen)
    ?? readData(given, known)
    ?? readScp(given, known)
    ?? readShorthand(given, known)
    ?? readAddress(given, known)
    ?? { error: SENTENCES.unreadable };
  return found.error ? found : check(found, known, chosen);
}

function answer(provider, repository, found = {}) {
  const { ref = "", path = "", pathKind = "file", isGuess = false } = found;
  const note = isGuess
    ? `Read as ${ref}${path ? ` and the file ${path}` : ""}. Change it below if the branch is another.`
    : "";
  return { provider, repository, ref, path, pathKind, note };
}

/** What the providers themselves say about the answer. */
function check(found, known, chosen) {
  const provider = known.get(found.provider);
  if (!provider) return { error: `This federation has no provider “${found.provider}”.` };
  if (chosen && found.provider !== chosen) {
    const name = known.get(chosen)?.displayName ?? chosen;
    return { error: `This is not an address of ${name}. Choose “As the address says”.` };
  }
  const hasRef = provider.ref?.enabled ?? true;
  const answered = hasRef ? found : { ...found, ref: "" };
  if (isValid(answered, provider)) return answered;
  return { error: `${provider.displayName} takes an address like this: ${provider.repo?.placeholder}.` };
}

/** Whether the spec is as the provider says that its specs are. */
function isValid(found, provider) {
  if (!provider.spec?.validateRegex) return true;
  const ref = found.ref || (provider.ref?.enabled === false ? "" : (provider.ref?.default ?? "HEAD"));
  return new RegExp(`^(?:${provider.spec.validateRegex})$`).test(formatSpec({ ...found, ref }, provider));
}

/** A launch link of any Binder: `https://mybinder.org/v2/gh/o/r/ref?urlpath=x`. */
function readLaunchLink(given, known) {
  const match = /^(?:https?:\/\/[^/?#]+(?:\/[^?#]*?)?)?\/?v2\/([a-z]+)\/([^?#]+)(?:\?([^#]*))?/.exec(given);
  if (!match) return null;
  const [, provider, rawSpec, query] = match;
  if (!known.has(provider)) return { error: `This federation has no provider “${provider}”.` };
  const spec = readSpec(provider, rawSpec.replace(/\/+$/, ""), known.get(provider));
  if (!spec) return { error: "The launch link is not whole: it names no repository." };
  return answer(provider, spec.repository, { ref: spec.ref, ...readQuery(query) });
}

function readQuery(query) {
  const values = new URLSearchParams(query ?? "");
  const url = values.get("urlpath");
  if (url) return { path: url, pathKind: "url" };
  return { path: values.get("labpath") ?? values.get("filepath") ?? "", pathKind: "file" };
}

/** A provider that was picked reads what others would not know as its own, such as a DOI. */
function readForChosen(given, known, chosen) {
  if (!chosen || chosen === "gh" || chosen === "git" || !known.has(chosen)) return null;
  const provider = known.get(chosen);
  const address = readHosted(given, new Map([[chosen, provider]]));
  if (address && !address.error) return address;
  const doi = readDoi(given);
  return answer(chosen, detect(provider, doi ?? given) ?? doi ?? given);
}

function readData(given, known) {
  const doi = readDoi(given);
  if (!doi) return null;
  const found = findDataProvider(doi, known.values());
  return found ? answer(found.provider, found.repository) : { error: SENTENCES.doi };
}

/** `git@host:owner/name.git` */
function readScp(given, known) {
  const match = /^([\w.-]+)@([\w.-]+):(?!\/\/)(.+)$/.exec(given);
  if (!match) return null;
  const [, , host, path] = match;
  const web = webProvider(host, path.split("/").filter(Boolean), known);
  return web ?? answer("git", given);
}

/** `owner/name` and `owner/name@ref`, which is GitHub's. */
function readShorthand(given, known) {
  const match = /^([A-Za-z0-9][\w-]*)\/([\w.-]+?)(?:\.git)?(?:@([^\s@]+))?\/?$/.exec(given);
  if (!match || !known.has("gh")) return null;
  return answer("gh", `${match[1]}/${match[2]}`, { ref: match[3] });
}

function readAddress(given, known) {
  const address = splitAddress(given);
  if (!address || address.error) return address;
  const { isWeb, protocol, shown } = address;
  const web = webProvider(shown.host, shown.parts, known);
  if (web) return web;
  const data = findDataProvider(given, known.values());
  if (data) return answer(data.provider, data.repository);
  if (!isWeb) return answer("git", given.replace(/^git\+/, "").replace(/\/+$/, ""));
  return readGit(`${protocol}//${shown.host}`, shown.host, shown.parts);
}

/** An address at the host of one of the providers `known`, or null. */
function readHosted(given, known) {
  const address = splitAddress(given);
  return address?.shown ? webProvider(address.shown.host, address.shown.parts, known) : null;
}

/** `{isWeb, protocol, shown: {host, parts}}`, or `{error}`, or null for what is no address. */
function splitAddress(given) {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(given);
  if (!hasScheme && !/^[\w-]+(\.[\w-]+)+(:\d+)?\/./.test(given)) return null;
  const url = toUrl(hasScheme ? given.replace(/^git\+/, "") : `https://${given}`);
  if (!url) return { error: SENTENCES.unreadable };
  if (url.password || (url.username && url.protocol.startsWith("http"))) {
    return { error: SENTENCES.password };
  }
  const parts = decodeParts(url.pathname);
  if (parts === null) return { error: SENTENCES.unreadable };
  if (parts.length === 0) return { error: SENTENCES.noRepository };
  const isWeb = url.protocol === "https:" || url.protocol === "http:";
  const host = url.host.replace(/^www\./, "");
  return { isWeb, protocol: url.protocol, shown: readViewer(host, parts) ?? { host, parts } };
}

/** Sites that show another host's files: nbviewer, raw.githubusercontent.com. */
function readViewer(host, parts) {
  if (host === "raw.githubusercontent.com" && parts.length > 3) {
    return { host: "github.com", parts: [...parts.slice(0, 2), "raw", ...parts.slice(2)] };
  }
  if (/^nbviewer\.(jupyter\.)?org$/.test(host) && parts[0] === "github") {
    return { host: "github.com", parts: parts.slice(1) };
  }
  if (/^nbviewer\.(jupyter\.)?org$/.test(host) && parts[0] === "gist") {
    return { host: "gist.github.com", parts: parts.slice(1, 4) };
  }
  if (host === "gist.githubusercontent.com" && parts.length > 2) {
    return { host: "gist.github.com", parts: [...parts.slice(0, 2), ...parts.slice(3, 4)] };
  }
  return null;
}

/** The answer of the provider that knows this host, or null when only git is left. */
function webProvider(host, parts, known) {
  for (const provider of known.values()) {
    if (provider.id === "git") continue;
    const found = provider.id === "gist" ? readGistPath(parts)
      : readForgePath(parts, TWO_PART_HOSTS[host] || provider.id === "gh" ? 2 : Infinity);
    const plain = found.repository.replace(/\.git$/, "");
    const repository = repositoryAt(provider, host, plain);
    if (repository) return answer(provider.id, repository, found);
    if (isHostOf(provider, host)) return { error: SENTENCES.noRepository };
  }
  return null;
}

/** `user/id[/commit]` */
function readGistPath([user = "", id = "", commit = ""]) {
  return { repository: `${user}/${id}`, ref: /^[0-9a-f]{40}$/.test(commit) ? commit : "" };
}

/** The repository's name if the provider's own pattern finds it at `host`, or "". */
function repositoryAt(provider, host, path) {
  const address = `https://${host}/${path}`;
  const found = detect(provider, address) ?? "";
  return found === address || found.includes("://") ? "" : found;
}

function isHostOf(provider, host) {
  return repositoryAt(provider, host, "owner/name") !== "";
}

/** The `repo` that a provider's own pattern finds in `text`, or null. */
function detect(provider, text) {
  if (!provider.detect?.regex) return null;
  return new RegExp(provider.detect.regex).exec(text)?.groups?.repo ?? null;
}

function readGit(origin, host, parts) {
  const found = readForgePath(parts, host in TWO_PART_HOSTS ? 2 : Infinity);
  if (host in TWO_PART_HOSTS && !found.repository.includes("/")) return { error: SENTENCES.noRepository };
  return answer("git", `${origin}/${found.repository}`, found);
}

function toUrl(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function decodeParts(pathname) {
  try {
    return pathname.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return null;
  }
}
