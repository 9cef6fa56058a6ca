/**
 * The seconds left, between the estimates that events bring. Pure: `now` comes in, in
 * seconds.
 *
 * It counts down on its own, and within one phase a new estimate can only bring it
 * further down: nothing is more annoying than a clock that goes back.
 */

export class Countdown {
  #key = null;
  #endsAt = null;
  #estimate = 0;

  /** An event of the phase `key` (another key for another attempt) said `seconds`. */
  observe(key, seconds, now) {
    const isNewPhase = key !== this.#key;
    this.#key = key;
    if (!Number.isFinite(seconds)) return;
    const endsAt = now + Math.max(0, seconds);
    if (isNewPhase || this.#endsAt === null) {
      this.#endsAt = endsAt;
      this.#estimate = seconds;
    } else {
      this.#endsAt = Math.min(this.#endsAt, endsAt);
    }
  }

  forget() {
    this.#key = null;
    this.#endsAt = null;
  }

  /** Seconds left (below 0 when overdue), or null while nothing was estimated. */
  secondsLeft(now) {
    return this.#endsAt === null ? null : this.#endsAt - now;
  }

  /** For people: "about 12 seconds left". */
  text(now) {
    const left = this.secondsLeft(now);
    if (left === null) return "";
    if (left <= -Math.max(10, this.#estimate / 2)) return "taking longer than usual";
    const seconds = Math.ceil(left);
    if (seconds <= 0) return "any moment now";
    if (seconds >= 90) return `about ${Math.round(seconds / 60)} minutes left`;
    return `about ${seconds} second${seconds === 1 ? "" : "s"} left`;
  }
}
