// Filtering: hysteresis, small objects and holes. For given filters there is one plane whose thresholds are all the
// masks (components.js), so it is computed when a filter changes, not when the threshold moves.

class Filtering {
  /** on: {filtered(plane), counted({objects, largest}), failed()}; the first two are told of the newest request only. */
  constructor(on) {
    this.on = on;
    this.ticket = 0;
    this.busy = false;
    this.wanted = null;
    const source = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
    this.worker = new Worker(source);
    this.worker.onerror = () => {
      this.busy = false;
      on.failed(); // no memory, or a policy of the page that forbids workers
    };
    this.worker.onmessage = ({ data }) => {
      URL.revokeObjectURL(source); // by now it has been read
      this.answer(data);
    };
  }

  setPicture(plane, width, height) {
    this.ticket++;
    this.worker.postMessage({ plane, width, height });
  }

  /** filters: {low: level or null, smallestObject, smallestHole}. Only the last of many waits while one is at work. */
  ask(filters) {
    this.ticket++;
    this.wanted = { filters, ticket: this.ticket };
    if (!this.busy) this.send();
  }

  send() {
    this.busy = true;
    this.worker.postMessage(this.wanted);
    this.wanted = null;
  }

  answer(data) {
    const newest = data.ticket === this.ticket;
    if (data.plane) {
      if (newest) this.on.filtered(data.plane);
      if (this.wanted) this.send();
      else this.worker.postMessage({ count: true, ticket: data.ticket });
      return;
    }
    if (newest) this.on.counted(data.objects);
    this.busy = false;
    if (this.wanted) this.send();
  }
}
