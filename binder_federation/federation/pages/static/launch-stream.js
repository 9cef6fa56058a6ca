/**
 * The event stream of one launch, over an EventSource.
 *
 * The browser reconnects by itself and says with Last-Event-ID what it has seen; the
 * federation then goes on with the same launch. Events are numbered `launch:where:number`,
 * so one that comes twice is left out. A stream that the server will not give again, or
 * that stays away too long, is reported once as lost for good.
 */

const RECONNECT_DEADLINE_MS = 120_000;

export class LaunchStream {
  #source;
  #seen = { id: "", launch: "", number: -1 };
  #isLost = false;
  #deadline = 0;

  /**
   * `lastEventId` goes on with that launch after that event; "" begins a new one.
   * Called are `onEvent(event)`, `onInterrupted()`, `onResumed()`, `onGone()`.
   */
  constructor(url, lastEventId, { onEvent, onInterrupted, onResumed, onGone }) {
    Object.assign(this, { onEvent, onInterrupted, onResumed, onGone });
    this.#wasSeen(lastEventId);
    this.#source = new EventSource(lastEventId ? withLastEventId(url, lastEventId) : url);
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("message", (message) => this.#received(message));
    this.#source.addEventListener("error", () => this.#failed());
  }

  /** The last event that came, for a new stream to go on after it, or "". */
  get lastEventId() {
    return this.#seen.id;
  }

  close() {
    clearTimeout(this.#deadline);
    this.#source.close();
  }

  #opened() {
    clearTimeout(this.#deadline);
    this.#deadline = 0;
    if (this.#isLost) this.onResumed();
    this.#isLost = false;
  }

  #received(message) {
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
      this.#giveUp();
      return;
    }
    if (this.#isLost) return;
    this.#isLost = true;
    this.#deadline ||= setTimeout(() => this.#giveUp(), RECONNECT_DEADLINE_MS);
    this.onInterrupted();
  }

  #giveUp() {
    this.close();
    this.onGone();
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
