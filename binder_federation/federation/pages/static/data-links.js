/**
 * Addresses of data repositories: DOIs in any usual form, and pages that stand for one. Pure.
 *
 * Which provider takes a DOI is not known here: each one's own pattern says so.
 */

const DOI = /^(?:https?:\/\/(?:dx\.)?doi\.org\/|doi:\s*)?(10\.\d{4,9}\/[^\s?#]+)$/i;
const ZENODO_RECORD = /^https?:\/\/(?:www\.)?zenodo\.org\/(?:records?|deposit)\/(\d+)/i;
const ZENODO_DOI = /^https?:\/\/(?:www\.)?zenodo\.org\/(?:doi|badge\/latestdoi)\/(10\.[^\s?#]+)$/i;
const PERSISTENT = /[?&]persistentId=(?:doi:|doi%3A)([^&#]+)/i;

/** The DOI that `text` is or stands for, or null. */
export function readDoi(text) {
  const plain = DOI.exec(text) ?? ZENODO_DOI.exec(text);
  if (plain) return decoded(plain[1]);
  const record = ZENODO_RECORD.exec(text);
  if (record) return `10.5281/zenodo.${record[1]}`;
  const named = PERSISTENT.exec(text);
  return named ? decoded(named[1]) : null;
}

/** `{provider, repository}` of the provider without refs whose pattern knows `text`, or null. */
export function findDataProvider(text, providers) {
  for (const provider of providers) {
    if (provider.ref?.enabled !== false || !provider.detect?.regex) continue;
    const repository = new RegExp(provider.detect.regex).exec(text)?.groups?.repo;
    if (repository) return { provider: provider.id, repository };
  }
  return null;
}

function decoded(text) {
  try {
    return decodeURIComponent(text).replace(/\/+$/, "");
  } catch {
    return null; // a stray "%"
  }
}
