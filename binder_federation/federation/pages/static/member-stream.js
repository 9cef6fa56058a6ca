/**
 * The event stream of one launch in redirect mode: the chosen member's own.
 *
 * The federation is asked which member and where, and sees nothing after that. So what it does
 * in stream mode is done here: when a member fails, the next one is asked for, without those
 * that failed, and the visitor is told in one line. To `launch.js` it looks like a `LaunchStream`.
 */

import { LaunchStream } from "./launch-stream.js";

const MOST_ATTEMPTS = 4;
const REJOIN_MS = 10_000; // how long a member whose stream broke may take to give it again
const MEMBERS_FAULTS = new Set(["member", "federation"]);

export class MemberStream {
  #stream = null;
  #failed = new Set();
  #member = "";
  #hasEvents = false;
  #rejoining = 0;
  #isClosed = false;

  /**
   * `buildUrl(failed)` is the launch's address at the federation, without the members `failed`.
   * `handlers` and `patienceMs` are those of a `LaunchStream`.
   */
  constructor(buildUrl, handlers, patienceMs) {
    Object.assign(this, { buildUrl, handlers, patienceMs });
    this.#goOn(null);
  }

  /** The federation knows no events of it: a new stream is a new launch. */
  get lastEventId() {
    return "";
  }

  close() {
    this.#isClosed = true;
    this.#leave();
  }

  /** Goes to the first member, or to the next after `failure`, which is told where there is none. */
  async #goOn(failure) {
    const before = this.#member;
    const place = failure && this.#failed.size >= MOST_ATTEMPTS ? null : await this.#ask();
    if (this.#isClosed) return;
    if (place?.isLost) this.#end(this.handlers.onGone);
    else if (place?.phase) this.#tell(place);
    else if (!place || this.#failed.has(place.member)) this.#tell(failure);
    else this.#open(place, before, failure);
  }

  /** `{member, url}`; the event that says why there is none; or `{isLost}`. */
  async #ask() {
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch(this.buildUrl([...this.#failed]), { headers });
      const body = await answer.json();
      return answer.ok ? body : { phase: "failed", status_code: answer.status, ...body };
    } catch {
      return { isLost: true };
    }
  }

  #open({ member, url }, before, failure) {
    const attempt = this.#failed.size + 1;
    this.#member = member;
    this.#hasEvents = false;
    const phrase = before ? `${member} took over from ${before}` : "";
    const why = failure?.message.trim().replace(/\.$/, "");
    const message = failure ? `${why}. Going on at ${member}.\n` : "";
    this.#tell({ phase: "waiting", member, attempt, message, failover: Boolean(failure), reason_phrase: phrase });
    this.#stream = new LaunchStream(url, "", {
      onEvent: (event) => this.#received(event, attempt),
      onInterrupted: () => this.#interrupted(),
      onResumed: () => this.#resumed(),
      onUnanswered: this.handlers.onUnanswered,
      onGone: () => this.#moveOn(unreachable(member)),
      onSilent: () => this.#moveOn(unreachable(member)),
    }, this.patienceMs);
  }

  #received(event, attempt) {
    this.#hasEvents = true;
    const named = { ...event, member: this.#member, attempt };
    if (event.phase === "failed" && MEMBERS_FAULTS.has(event.fault)) this.#moveOn(named);
    else this.#tell(named);
  }

  /** Who never answered is left at once; a stream that broke may come back for a while. */
  #interrupted() {
    if (!this.#hasEvents) {
      this.#moveOn(unreachable(this.#member));
      return;
    }
    this.handlers.onInterrupted();
    clearTimeout(this.#rejoining);
    this.#rejoining = setTimeout(() => this.#moveOn(unreachable(this.#member)), REJOIN_MS);
  }

  #resumed() {
    clearTimeout(this.#rejoining);
    this.handlers.onResumed();
  }

  #moveOn(failure) {
    this.#leave();
    this.handlers.onResumed(); // nothing is interrupted any more
    this.#failed.add(this.#member);
    this.#goOn(failure);
  }

  #leave() {
    clearTimeout(this.#rejoining);
    this.#stream?.close();
  }

  #tell(event) {
    if (!this.#isClosed) this.handlers.onEvent(event);
  }

  #end(tell) {
    this.close();
    tell();
  }
}

function unreachable(member) {
  return {
    phase: "failed",
    code: "member_unreachable",
    fault: "member",
    member,
    message: `${member} does not answer.`,
  };
}
