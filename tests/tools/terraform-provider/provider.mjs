#!/usr/bin/env node
// A slow, failing and lying Terraform provider, for tests with the real command line. It has one
// resource, `lab_object` with `name`, `size` and `id`, in a cloud that keeps its own books (cloud.mjs).

import { Cloud, Refused } from "./cloud.mjs";
import { serve } from "./plugin.mjs";
import { UNKNOWN, fields, message, pack, unpack } from "./wire.mjs";

const attribute = (name, flag) => message([1, name], [2, '"string"'], [flag, true]);
const [REQUIRED, OPTIONAL, COMPUTED] = [4, 5, 6];
const schema = (...attributes) => message([1, 0], [2, message(...attributes.map((each) => [2, each]))]);

const dynamic = (value) => message([1, pack(value)]);
const value = (bytes) => unpack(fields(bytes)[1]);
const trouble = (summary, detail) => message([1, 1], [2, summary], [3, detail]);
const nothing = Buffer.alloc(0);

let cloud;

serve({
  GetProviderSchema: () => message(
    [1, schema(attribute("folder", REQUIRED))],
    [2, message([1, "lab_object"], [2, schema(
      attribute("name", REQUIRED), attribute("size", OPTIONAL), attribute("id", COMPUTED),
    )])],
  ),
  ValidateProviderConfig: () => nothing,
  ValidateResourceConfig: () => nothing,
  ConfigureProvider: (request) => {
    cloud = new Cloud(value(fields(request)[2]).folder);
    return nothing;
  },
  UpgradeResourceState: (request) => message([1, message([2, fields(fields(request)[3])[1]])]),
  ReadResource: async (request) => {
    const known = value(fields(request)[2]);
    try {
      const there = await cloud.read(known.id, known.name);
      return message([1, dynamic(there ? { ...known, size: there.size ?? null } : null)]);
    } catch (error) {
      return message([1, dynamic(known)], [2, trouble(`Cannot read ${known.name}`, error.message)]);
    }
  },
  PlanResourceChange: (request) => {
    const [prior, wanted] = [value(fields(request)[2]), value(fields(request)[3])];
    if (wanted === null) return message([1, dynamic(null)]);
    const renamed = prior !== null && prior.name !== wanted.name;
    const planned = { ...wanted, id: prior === null || renamed ? UNKNOWN : prior.id };
    const path = message([1, message([1, "name"])]);
    return message([1, dynamic(planned)], [2, renamed ? path : undefined]);
  },
  ApplyResourceChange: async (request) => {
    const [prior, planned] = [value(fields(request)[2]), value(fields(request)[3])];
    const verb = prior === null ? "create" : planned === null ? "delete" : "update";
    const { name, size } = planned ?? prior;
    try {
      const id = await cloud.change(verb, prior?.id, name, size);
      return message([1, dynamic(verb === "delete" ? null : { ...planned, id })]);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const left = error.id ? { ...(planned ?? prior), id: error.id } : prior;
      return message([1, dynamic(left)], [3, trouble(`Cannot ${verb} ${name}`, error.message)]);
    }
  },
  StopProvider: () => {
    if (cloud) cloud.stopped = true;
    return nothing;
  },
});
