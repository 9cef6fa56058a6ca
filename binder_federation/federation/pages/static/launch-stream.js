/**
 * The event stream of one launch, over an EventSource.
 *
 * The browser reconnects by itself and says with Last-Event-ID what it has seen; the
 * federation then goes on with the same launch. Events are numbered `launch:where:number`,
 * so one that comes twice is left out. A stream that the server will not give again, or
 * that stays away too long, is reported once as lost for good.
 *
 * An EventSource can also wait for ever without failing: for a free connection (a browser
 * has six to a host), or for an answer that got lost on the way. So a watchdog closes one
 * that brings nothing and asks anew, and after a few times says so.
 */

const RECONNECT_DEADLINE_MS = 120_000;
const PATIENCE_MS = 10_000;
const RETRY_MS = 5_000; // about how long a browser waits before it connects again
const MOST_UNANSWERED = 3;

export class LaunchStream {
  #source = null;
  #seen = { id: "", launch: "", number: -1 };
  #isLost = false;
  #deadline = 0;
  #watchdog = 0;
  #unanswered = 0;

  /**
   * `lastEventId` goes on with that launch after that event; "" begins a new one.
   * Called are `onEvent(event)`, `onInterrupted()`, `onResumed()`, `onUnanswered(times)`
   * before it asks anew, and at last `onGone()` or `onSilent()`. `patienceMs` is how long
   * the first event may take; it doubles, then triples, when it did not come.
   */
  constructor(url, lastEventId, handlers, patienceMs = PATIENCE_MS) {
    Object.assign(this, handlers, { url, patienceMs });
    this.#wasSeen(lastEventId);
    this.#connect();
  }

  /** The last event that came, for a new stream to go on after it, or "". */
  get lastEventId() {
    return this.#seen.id;
  }

  close() {
    clearTimeout(this.#deadline);
    clearTimeout(this.#watchdog);
    this.#deadline = 0;
    this.#source.close();
  }

  #connect() {
    const source = new EventSource(this.lastEventId ? withLastEventId(this.url, this.lastEventId) : this.url);
    this.#source = source;
    source.addEventListener("open", () => this.#opened());
    source.addEventListener("message", (message) => this.#received(message));
    source.addEventListener("error", () => this.#failed());
    this.#watch(this.patienceMs * (1 + this.#unanswered));
  }

  #watch(milliseconds) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#askAnew(), milliseconds);
  }

  /** A launch's first event comes at once; one that is gone on with may have nothing new. */
  #opened() {
    if (this.lastEventId) this.#answered();
  }

  #answered() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#deadline);
    this.#deadline = 0;
    if (this.#isLost || this.#unanswered) this.onResumed();
    this.#isLost = false;
    this.#unanswered = 0;
  }

  #received(message) {
    this.#answered();
    if (this.#wasSeen(message.lastEventId)) return;
    let event;
    try {
      event = JSON.parse(message.data);
    } catch {
      console.warn("An event of the launch is not JSON; it is left out.");
      return;
    }
    this.onEvent(event);
  }

  #failed() {
    if (this.#source.readyState === EventSource.CLOSED) {
      this.#end(this.onGone);
      return;
    }
    this.#watch(RETRY_MS + this.patienceMs);
    this.#deadline ||= setTimeout(() => this.#end(this.onGone), RECONNECT_DEADLINE_MS);
    if (this.#isLost) return;
    this.#isLost = true;
    this.onInterrupted();
  }

  #askAnew() {
    this.#source.close();
    this.#unanswered += 1;
    if (this.#unanswered >= MOST_UNANSWERED) {
      this.#end(this.onSilent);
      return;
    }
    this.onUnanswered(this.#unanswered);
    this.#connect();
  }

  #end(tell) {
    this.close();
    tell();
  }

  #wasSeen(id) {
    const match = /^([^:]+):(?:.*:)?(\d+)$/.exec(id);
    if (!match) return false;
    const [, launch, digits] = match;
    const number = Number(digits);
    if (launch === this.#seen.launch && number <= this.#seen.number) return true;
    this.#seen = { id, launch, number };
    return false;
  }
}

/** A new EventSource cannot be given the header, so it goes into the query. */
function withLastEventId(url, lastEventId) {
  const separator = url.includes("?") ? "&" : "?";
  return `${url}${separator}last_event_id=${encodeURIComponent(lastEventId)}`;
}
