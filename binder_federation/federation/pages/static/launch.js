/**
 * The loading page: follows one launch to its end, then goes to the server.
 *
 * Events come in from `launch-stream.js`; the parts that they change are `progress.js`,
 * `countdown.js`, `build-log.js` and `tab-state.js`, and `launch-view.js` shows them.
 */

import { AfterFailure } from "./after-failure.js";
import { BuildLog } from "./build-log.js";
import { Countdown } from "./countdown.js";
import { CONNECTION_LOST, NO_ANSWER, describeFailure } from "./failure.js";
import { recallMember, rememberMember } from "./last-member.js";
import { LaunchStream } from "./launch-stream.js";
import { LaunchView } from "./launch-view.js";
import { MemberStream } from "./member-stream.js";
import { showPreview } from "./preview.js";
import { Progress } from "./progress.js";
import { serverUrl } from "./server-url.js";
import { TabState } from "./tab-state.js";
import { whenSeen } from "./when-seen.js";

const TICK_MS = 250;
const config = JSON.parse(document.getElementById("launch-config").textContent);
const element = (id) => document.getElementById(id);
const seconds = () => performance.now() / 1000;

const view = new LaunchView();
const tab = new TabState({ icon: element("tab-icon"), icons: config.icons, repository: config.repository });
const log = new BuildLog({
  details: element("log"),
  lines: element("log-lines"),
  count: element("log-count"),
  rawButton: element("log-raw"),
  copyButton: element("log-copy"),
  status: element("announcer"),
});
const after = new AfterFailure({
  view,
  repositoryUrl: config.repositoryUrl,
  homeUrl: document.querySelector(".brand").href,
  onStart: () => start(),
  onResume: (failure) => start(resumable(failure)),
  onStartElsewhere: startElsewhere,
});

/** Members that the visitor asked to leave out, one more with each "Try another member". */
const avoided = new Set();
let stream = null;
let progress = null;
let countdown = null;
let member = "";
let ticker = 0;
let isUnderWay = false;
let resumedAt = "";

/** Begins a launch, or goes on with the one whose last event was `lastEventId`. */
function start(lastEventId = "") {
  stream?.close();
  after.cancel();
  isUnderWay = true;
  progress = new Progress(seconds());
  countdown = new Countdown();
  member = "";
  if (!log.isEmpty) log.write(lastEventId ? "Reconnecting.\n" : "Trying again.\n");
  view.clearFailure();
  view.clearNotices();
  view.showMember("", "");
  view.showPhase({ words: progress.words, steps: progress.steps, phase: progress.phase });
  tab.show("waiting");
  clearInterval(ticker);
  ticker = setInterval(tick, TICK_MS);
  tick();
  stream = follow(lastEventId, {
    onEvent,
    onInterrupted: () => view.showConnection("Connection lost, reconnecting …"),
    onUnanswered: (times) => view.showConnection(`No answer yet, asking again (${times}) …`),
    onResumed: () => view.showConnection(""),
    onGone: () => fail(CONNECTION_LOST),
    onSilent: () => fail(NO_ANSWER),
  });
}

/** The federation's stream, or in redirect mode the member's. */
function follow(lastEventId, handlers) {
  const patienceMs = config.patienceSeconds * 1000;
  if (config.redirects) return new MemberStream(buildUrl, handlers, patienceMs);
  return new LaunchStream(buildUrl(), lastEventId, handlers, patienceMs);
}

/** The page's own query goes along, for the session is told which link it came from. */
function buildUrl(failed = []) {
  const query = new URLSearchParams(location.search);
  query.delete("avoid");
  query.delete("prefer");
  query.delete("build_token");
  if (config.buildToken) query.set("build_token", config.buildToken);
  const before = recallMember(config.buildPath);
  const unwanted = new Set([...avoided, ...failed]);
  if (before && !unwanted.has(before)) query.set("prefer", before);
  if (unwanted.size > 0) query.set("avoid", [...unwanted].join(","));
  const text = query.toString();
  return text ? `${config.buildPath}?${text}` : config.buildPath;
}

function tick() {
  const now = seconds();
  const left = countdown.secondsLeft(now);
  view.showProgress(progress.share(left, now), progress.words, countdown.text(now));
}

function onEvent(event) {
  if (event.message) log.write(event.message);
  if (event.failover) {
    view.addNotice(event.message.trim());
    progress.startOver();
    countdown.forget();
  }
  if (event.member) showMember(event);
  if (event.phase === "failed") fail(event);
  else if (event.phase === "ready") open(event);
  else advance(event);
}

function showMember(event) {
  const isAnother = event.member !== member;
  member = event.member;
  if (isAnother || event.reason_phrase) view.showMember(member, event.reason_phrase ?? "");
}

function advance(event) {
  progress.enter(event.phase);
  countdown.observe(`${event.attempt ?? 1}:${progress.phase}`, event.eta_seconds, seconds());
  view.showPhase({ words: progress.words, steps: progress.steps, phase: progress.phase });
  tab.show(progress.phase);
  tick();
}

/** `location.replace`: "back" must not launch again. */
function open(event) {
  const url = serverUrl(event.url ?? "", event.token, location.search);
  if (url === null) {
    fail({ fault: "member", member, message: "The member gave an address that is no web address." });
    return;
  }
  stop();
  rememberMember(config.buildPath, member);
  progress.enter("ready");
  view.showPhase({ words: "Ready, opening your server", steps: progress.steps, phase: "ready" });
  view.showProgress(1, "Ready", "");
  view.showReady(url);
  tab.show("ready");
  location.replace(url);
}

function stop() {
  isUnderWay = false;
  stream.close();
  clearInterval(ticker);
  view.showConnection("");
}

function fail(event) {
  stop();
  const failure = describeFailure(event, { source: config.source, member });
  tab.show("failed");
  after.show(failure);
  if (failure.isRepositorys && !log.isEmpty) log.open();
}

function startElsewhere(failedMember) {
  avoided.add(failedMember);
  start();
}

/**
 * After a lost connection the launch may still be going on. One that cannot be had again
 * brought no event since the last try: then the next try begins a new one.
 */
function resumable(failure) {
  const isNew = stream.lastEventId !== resumedAt;
  resumedAt = stream.lastEventId;
  return failure.isConnectionLost && isNew ? stream.lastEventId : "";
}

/** A page that is left lets its connection go; one that is come back to takes it up again. */
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted && isUnderWay) start(stream.lastEventId);
});

element("not-started").remove();
whenSeen(() => {
  start();
  if (!config.previewPath) return;
  showPreview({
    card: element("preview"),
    frame: element("preview-frame"),
    url: `${config.previewPath}?path=${encodeURIComponent(config.previewFile)}`,
    isWanted: () => isUnderWay,
  });
});
