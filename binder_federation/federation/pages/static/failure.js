/**
 * A failed launch in words: what failed, whose fault it is, what to do. Pure.
 *
 * The event says `code`, `fault`, `message` and `advice` (the service's own sentences);
 * here is what holds for every failure of a kind.
 */

const TITLES = {
  build_failed: "The repository does not build",
  unsupported_repository: "The repository needs what is not available here",
  server_stopped: "The repository's server ends by itself",
  repository_not_found: "The repository was not found",
  ref_not_found: "The repository has no such branch, tag or commit",
  rate_limited: "Too many launches from your network",
  repo_quota: "This repository has no room left",
  pod_quota: "There is no room left",
  no_eligible_member: "No member can take a launch now",
  not_authorized: "This launch is not allowed",
  spec_banned: "This repository may not be launched here",
  connection_lost: "The connection was lost",
  no_answer: "The federation does not answer",
};

/** Where a kind's own sentence would not be true. */
const BLAMES = {
  rate_limited: "The link is fine. There were many launches from your network lately.",
  no_answer: "",
  connection_lost: "",
};

const KINDS = {
  request: {
    title: () => "This link cannot be launched",
    blame: () => "The link asks for something that is not possible here.",
    advice: "Check the link, or make a new one on the home page.",
  },
  repository: {
    title: () => "The repository cannot be launched",
    blame: () => "This is about the repository, not about you or this service. Its author can fix it.",
    advice: "Read the end of the build log, and tell the repository’s author.",
  },
  provider: {
    title: ({ source }) => `${source} does not answer`,
    blame: ({ source }) => `Neither you nor the repository did anything wrong. ${source} has to answer first.`,
    advice: "Wait a moment, then try again.",
  },
  member: {
    title: ({ member }) => `${member || "The member"} could not launch it`,
    blame: () => "Neither you nor the repository did anything wrong: a member of the federation failed.",
    advice: "Try another member.",
  },
  federation: {
    title: () => "The launch failed",
    blame: () => "Neither you nor the repository did anything wrong: the fault is ours.",
    advice: "Wait a moment, then try again.",
  },
};

/** Failures after which the page tries again by itself, and those where it only counts. */
const AUTOMATIC = new Set(["no_eligible_member"]);
const COUNTED = new Set(["rate_limited"]);
const SHORTEST_WAIT_SECONDS = 3;

/** The failure of a stream that brought nothing, however often it was asked for. */
export const NO_ANSWER = {
  code: "no_answer",
  fault: "federation",
  message: "The launch was asked for several times, and no answer came.",
  advice: "Check your network. Close other pages that launch from here: a browser keeps only "
    + "a few connections open. Then try again.",
};

/** The failure of a stream that ended and cannot be had again. */
export const CONNECTION_LOST = {
  code: "connection_lost",
  fault: "federation",
  message: "The federation ended the connection, and the launch cannot be followed any more.",
  advice: "Try again: the launch goes on where it is, as long as it is known.",
};

/**
 * What the page shows for a `failed` event. `launch` has the names of member and source,
 * the host or service that has the repository.
 * `waitSeconds` is set when it is known how long to wait, `isAutomatic` when the page may
 * try again by itself after that.
 */
export function describeFailure(event, launch) {
  const kind = KINDS[event.fault] ?? KINDS.federation;
  const names = { source: launch.source, member: event.member || launch.member };
  const isAutomatic = Boolean(event.retryable) && AUTOMATIC.has(event.code) && event.retry_after_seconds > 0;
  return {
    title: TITLES[event.code] ?? kind.title(names),
    blame: BLAMES[event.code] ?? kind.blame(names),
    message: (event.message ?? "").trim(),
    advice: event.advice || kind.advice,
    member: names.member || "",
    isRepositorys: event.fault === "repository",
    isRequests: event.fault === "request",
    isConnectionLost: event.code === "connection_lost" || event.code === "no_answer",
    isAutomatic,
    waitSeconds: isAutomatic || COUNTED.has(event.code) ? secondsToWait(event) : null,
  };
}

function secondsToWait(event) {
  const seconds = Math.ceil(event.retry_after_seconds);
  return seconds > 0 ? Math.max(SHORTEST_WAIT_SECONDS, seconds) : null;
}
