// A cloud in a folder. Its ledger is what really is: one line for every call and every effect, never
// changed. Faults are ordered in the file `faults`, one a line: `NAME VERB KIND`, each for one time.
//
//   fail, fail_after      an error before, or after the effect (the caller learns no id)
//   partial               an error after the effect, with the id
//   pretend               success without any effect
//   invisible             an effect, but the next read does not see the object
//   wait, wait_after      until `go-NAME` is there, before or after the effect; a stop ends it in an error
//   hang, hang_after      never answers, whatever anybody says
//   die, die_after        this provider dies
//   kill, kill_after      Terraform dies
//
// Who waits or hangs says so with `at-NAME`. Names are unique: a second object of a name is refused.

import { appendFileSync, existsSync, openSync, readFileSync, closeSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

export class Refused extends Error {
  constructor(text, id) {
    super(text);
    this.id = id;
  }
}

const pause = () => new Promise((resume) => setTimeout(resume, 5));

export class Cloud {
  constructor(folder) {
    this.folder = folder;
    this.stopped = false;
  }

  #lines(name) {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  }

  #write(entry) {
    appendFileSync(join(this.folder, "ledger"), JSON.stringify(entry) + "\n");
  }

  /** What is there: id to object. */
  objects() {
    const there = new Map();
    for (const { effect, id, ...object } of this.#lines("ledger").map((line) => JSON.parse(line))) {
      if (effect === "create" || effect === "update") there.set(id, { id, ...object });
      if (effect === "delete") there.delete(id);
    }
    return there;
  }

  /** The fault that is ordered for this call, taken once whoever asks. */
  #fault(name, verb) {
    for (const [index, line] of this.#lines("faults").entries()) {
      const [whose, when, kind] = line.split(" ");
      if (whose !== name || when !== verb) continue;
      try {
        closeSync(openSync(join(this.folder, `taken-${index}`), "wx"));
        return kind;
      } catch {
        // Somebody had it.
      }
    }
    return "";
  }

  async #at(name, kind, suffix) {
    const here = () => writeFileSync(join(this.folder, `at-${name}`), "");
    switch (kind) {
      case `wait${suffix}`:
        here();
        while (!existsSync(join(this.folder, `go-${name}`))) {
          if (this.stopped) throw new Refused("canceled while it waited");
          await pause();
        }
        break;
      case `hang${suffix}`:
        here();
        return new Promise(() => {});
      case `die${suffix}`: process.kill(process.pid, "SIGKILL"); break;
      case `kill${suffix}`:
        process.kill(process.ppid, "SIGKILL");
        return new Promise(() => {});
      case `fail${suffix}`: throw new Refused("the cloud answers 500");
    }
  }

  /** Does it, or what the fault says; returns the object's id. */
  async change(verb, id, name, size) {
    this.#write({ call: verb, name });
    const kind = this.#fault(name, verb);
    await this.#at(name, kind, "");
    if (kind === "pretend") return id ?? "obj-never";
    if (verb === "create") {
      const other = [...this.objects().values()].find((object) => object.name === name);
      if (other) throw new Refused(`an object named ${name} exists already (${other.id})`);
      id = `obj-${randomBytes(4).toString("hex")}`;
    } else if (!this.objects().has(id)) {
      if (verb === "delete") return id;
      throw new Refused(`there is no object ${id}`);
    }
    this.#write({ effect: verb, id, name, size });
    if (kind === "invisible") appendFileSync(join(this.folder, "faults"), `${name} read blind\n`);
    await this.#at(name, kind, "_after");
    if (kind === "partial") throw new Refused("the cloud answers 500 half way", id);
    return id;
  }

  /** The object, if it is there and can be seen. */
  async read(id, name) {
    const kind = this.#fault(name, "read");
    await this.#at(name, kind, "");
    return kind === "blind" ? undefined : this.objects().get(id);
  }
}
